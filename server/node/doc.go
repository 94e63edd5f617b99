// Package node is the server's side of client agents: registration,
// heartbeats, the stream of what should run on a node, and what the clients
// say of their allocations.
//
// Differences reach each node's stream from one follower of the change feed
// (Hub.Run), so that a change costs what it concerns and not the number of
// nodes. Updates of all clients travel together: the first goes to the log at
// once, those that come while it is on its way go with the next (Updater.Run).
//
// Every call carries the node's secret, which is compared with the one it was
// registered with.
package node
