// Package store keeps what the client must know again after its process ends:
// the allocations with their jobs, the states of their tasks and the drivers'
// handles, the drivers' reattach data, the node's dynamic metadata, and (in
// files of their own) the node's identity.
//
// It is a cache: all of it can be had again from the servers and from what runs
// on the node. So every record has a checksum, a record that is damaged is
// dropped with a warning, and a file that is damaged is renamed aside and what
// can still be read of it is written to a new one. It never panics.
//
// Writes of all goroutines that come at one time are one transaction. A write
// that has returned survives the end of the process; Sync makes all of them
// survive the end of the machine.
//
// The client and its allocation runners call it. It owns no goroutine.
package store
