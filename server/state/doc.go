// Package state is the servers' store: every job, evaluation, allocation and
// node of a region, in typed tables, as of the last applied log entry.
//
// Readers take an immutable View (Store.View) and read it without locks for
// as long as they like. One writer, the FSM, opens a Tx per log entry, calls
// its methods and commits; package fsm is the only caller. What readers get is
// shared and must not be changed: a change starts with a copy.
//
// Readers that wait use View.Track (blocking queries), Store.WaitIndex (read
// your writes) or Store.Subscribe (the change feed). Snapshots are written
// from a view and restored into a store of their own.
//
// The package starts no goroutine. DESIGN.md says why it is built this way.
package state
