// Package cgroup gives each task a control group of its own: makes it, sets its limits, starts processes in it, measures it, and kills all that
// is in it at once.
//
// It works on cgroup v2, on v1, and on the mixture (controllers on v1, an empty v2 tree beside them, which is then used to freeze and
// kill). Groups lie in "serai" below the group that this process itself is in, controller by controller, for a process in a container or under
// systemd may only write there. A missing controller is left out, not an error. The package owns no goroutine.
//
// Source of file names and formats: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
package cgroup
