// Package consensus replicates the log: commands go in, the FSM applies them
// in one order on every server, and what was acknowledged survives. It is the
// only importer of hashicorp/raft; the rest of the tree sees Raft, a small
// type of our own.
//
// A server on disk keeps three things under its directory: the log (package
// wal), the few values that Raft must not forget (stable), and snapshots. All
// are checked when it opens. What is damaged is refused with what to do about
// it; nothing is ever applied in part.
//
// Raft starts the goroutines of hashicorp/raft with Open and joins them in
// Close. Lead runs the leader's work for as long as leadership lasts.
package consensus
