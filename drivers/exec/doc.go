// Package exec is the exec driver: tasks in containers made of the host's own files. A task gets namespaces of its own (mount, pid, ipc, uts), a
// root made of its directory with read-only views of a configurable set of host paths, control group limits, few capabilities, a system call
// filter, no new privileges, and an unprivileged user unless the job names another.
//
// It is the only importer of libcontainer. Containers are described on disk below stateDir, so a new driver process finds them again; no
// memory and no helper process is kept for them beyond what drivers/internal/supervise needs. The binary must call Init early in
// main: libcontainer runs it again inside each new container.
package exec
