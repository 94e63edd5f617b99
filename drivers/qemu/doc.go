// Package qemu is the driver "qemu": tasks as virtual machines of QEMU, from a disk image or from a kernel.
//
// What a guest can break out into is QEMU, so QEMU itself is held: it runs as a user that owns nothing, under its own filter of system calls,
// under Landlock rules that leave it programs, libraries and the task's files, in the task's control group, and with files handed over open
// rather than by name. Its monitor listens on a socket that only the agent can reach. What happens after the start is
// drivers/internal/supervise's business.
//
//   - config.go: what operators and job authors may write; arguments.go: which further arguments pass
//   - open.go, image.go: finding an image safely, and refusing those that lead to other files
//   - machine.go: the command line; launch.go: the fork
//   - monitor.go: QMP, for the graceful shutdown
//   - trial.go: whether KVM works here
package qemu
