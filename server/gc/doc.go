// Package gc frees what is over: evaluations, allocations, jobs, deployments
// and nodes of which nobody will ask any more.
//
// Find is a pure function of a view; Collector runs it from time to time on
// the leader and puts what it finds into Reap commands, which check everything
// again when they are applied. What came back to life meanwhile stays.
//
// Of what periodic and parameterized jobs have started and is over, the newest
// are kept, up to a number and an age: that is looked at as they end, so that a
// job that starts thousands does not keep them all until the next sweep.
//
// Run owns one goroutine, the caller's.
package gc
