// Package contain starts processes in containers: it is what the drivers exec, java and container stand on, and the only importer of libcontainer.
//
// A driver embeds a Containers, which watches over its tasks as drivers/internal/supervise does, and describes each task by a Spec: the root that
// it sees, the mounts on it, its program, its user and capabilities, its namespaces and its limits. Start makes the container, installs the
// system call filter and lets the program run; Exec runs a further command beside it; Destroy removes what is left.
//
// What is needed to find a container again lies below /run/serai, so a new driver process finds it; no memory and no helper process is kept for
// one beyond what supervise needs. The binary must call Init early in main: libcontainer runs it again inside each new container.
//
// A root made of layers is mounted in a mount namespace that one thread makes for the start alone: the host's table of mounts never shows it,
// so there is nothing to leave behind, however the driver's process ends.
package contain
