// Package heartbeat notices on the leader when a node has not been heard from
// for too long, and says so in the log: the node is down, with the evaluations
// that follow.
//
// The leader tells the other servers every few seconds how long it would still
// wait for each node, and a new leader goes on from there: a node that is silent
// is not given more time because the leader changed. Of which nothing is known,
// because all servers were started anew, gets the failover time. The package owns the goroutine of Run.
package heartbeat
