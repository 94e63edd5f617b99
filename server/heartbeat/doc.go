// Package heartbeat notices on the leader when a node has not been heard from
// for too long, and says so in the log: the node is down, with the evaluations
// that follow.
//
// A new leader gives every node the failover time first, because it does not
// know when they were heard. The package owns the goroutine of Run.
package heartbeat
