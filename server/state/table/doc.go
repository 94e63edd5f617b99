// Package table is the generic engine under the state store: typed tables
// with secondary indexes over copy-on-write B-trees, immutable views that cost
// O(1), watches that cost only what is watched, and a change feed.
//
// One goroutine writes (the FSM): it opens a transaction with Store.Begin,
// puts and deletes rows, and publishes everything at once with Tx.Commit.
// Any number of goroutines read: Store.View returns the latest committed view,
// which never changes and takes no lock to read.
//
// Rows are immutable: a value handed to Put is never changed again by anyone;
// a change is a new value under the same key. Pointer identity of a row is
// therefore its version, which is how watches tell what has changed.
//
// The package knows nothing of jobs or allocations (package state does) and
// starts no goroutine.
package table
