// Package container is the container driver: OCI images run as containers by serai itself, without a daemon.
//
// An image comes from the node's store (drivers/container/image), its layers make the root, what the task writes lies in the task's private
// directory and ends with it. A task gets namespaces of its own (mount, pid, ipc, uts, cgroup; users where asked for), the group's network or
// the host's, control group limits, few capabilities, a system call filter and no new privileges, and its allocation's directories at /alloc,
// /local and /secrets. What the image says (entrypoint, command, environment, user, working directory, stop signal) holds unless the job says
// otherwise; nothing else in an image has any effect.
//
// Options have the names that they have in docker jobs. What needs a Docker Engine is refused; docs/compat.md lists it.
//
// The package only decides; drivers/internal/contain starts the containers. Nothing of an image or a task is opened but through contain.Tree.
// Goroutines: those of the tasks (drivers/internal/supervise), and one that collects images nobody uses while the driver is there.
package container
