// Package autopilot keeps the list of servers in Raft as it should be: new ones
// get in and, once they have proved stable, a vote; those that left or died get
// out; in each redundancy zone one votes. It also tells how healthy they are.
//
// Judge and Decide are pure: from what was observed at a time they make a
// report and at most one change. Loop observes, applies the change and looks
// again, for as long as this server leads; its caller is package server. The
// loop holds nothing that a new leader could not find out anew. It starts no
// goroutine of its own.
package autopilot
