// Package seccomp builds and installs the system call filter of tasks in containers: everything is allowed but what reaches into the kernel or other
// processes in ways that a task has no business with.
//
// It is written in plain Go rather than through libseccomp, so that serai builds where there is a Go and a C compiler and nothing else; see
// docs/adr/0005-seccomp-for-exec.md. Install must run on the process that is to be filtered. No state, no goroutine.
package seccomp
