// Package exec is the exec driver: tasks in containers made of the host's own files. A task gets namespaces of its own (mount, pid, ipc, uts), a
// root made of its directory with read-only views of a configurable set of host paths, control group limits, few capabilities, a system call
// filter, no new privileges, and an unprivileged user unless the job names another.
//
// It only says what the container is; drivers/internal/contain starts it.
package exec
