// Package wal is the log of a server on disk: numbered entries in segment
// files, durable when Append returns, and checked to the last byte when the
// log is opened.
//
// What it promises beyond the usual is to tell a crash from damage. A batch
// that was being written when the machine stopped was promised to nobody and
// is dropped. A batch that was acknowledged and cannot be read any more is an
// error (ErrCorrupt), never a shorter log: see recover.go for how the two are
// told apart. docs/adr/0003-raft-log-store.md says why this is not somebody
// else's log store.
//
// Deleting entries, at either end, is itself a frame in the log, so that it is
// durable and atomic; files go when nothing in them is alive any more.
//
// The consensus package is the only caller. The package starts no goroutine.
package wal
