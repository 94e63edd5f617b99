// Package alloc runs one allocation: its own set-up, then its tasks in the
// order of their lifecycle hooks, until all of them are dead.
//
// When a task may start, and when it must end for another's sake, is decided by
// decide (lifecycle.go), a pure function of the tasks' states; what the
// allocation is said to be is derived from the same states (status.go), whether
// it is healthy too (health.go). The Runner is the loop around them. It owns
// one goroutine, and those of its tasks' runners.
//
// The client makes a Runner for each allocation that the servers place on the
// node, and keeps it until the allocation is collected.
package alloc
