// Command reboot cuts the power of a node and looks at what it is after it has started anew: a machine that QEMU emulates, with a disk of its own, is
// the client of a server on this machine.
//
//	go run ./e2e/reboot -binary bin/serai [-rounds 3] [-v]
//
// Each round runs tasks of several drivers and networks on the machine, kills QEMU with what it has not written to its disk, stops a job while the
// machine is off, in every other round waits until the servers have given the node up, and starts it again. Then the agent must come back by
// itself as the same node, every task run once, what was stopped or had ended not at all, and nothing be there of what nobody runs: mounts, control
// groups, links, directories. The command ends with 1 when that is not so.
package main
