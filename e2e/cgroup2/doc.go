// Command cgroup2 runs tests of drivers where control groups are of version 2 alone, as they are on most machines and may not be on this one: in a
// guest with Debian's kernel, emulated by QEMU.
//
//	go run ./e2e/cgroup2 [-lanes regexp] [-run regexp] [-v]
//
// The guest has nothing but busybox, the libraries of the test binaries, and these. They run in the root group, as where no init system arranges
// groups, and in the group of a service, as under systemd. The command ends with 1 when a test fails, a lane has not said how it ended, or a group of a
// task is left.
package main
