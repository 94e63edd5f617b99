// Package backup saves snapshots of the servers' state by the clock, to a
// directory or to a bucket of an s3-compatible store, and keeps the newest.
//
// The leader runs it when the configuration has a snapshot block, and
// "serai operator snapshot agent" runs it beside the servers. However many run,
// one of them writes: a lock in the target decides, and who holds it looks
// first whether a snapshot is due at all. A snapshot is read to its end before
// it is kept, and appears whole or not at all.
//
// Runner.Run is the one goroutine.
package backup
