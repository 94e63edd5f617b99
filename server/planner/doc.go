// Package planner turns evaluations into allocations on the leader: it takes a
// batch of them from the broker, runs the scheduler for each on the latest view
// and on what is in flight, and commits all their plans as one log entry. While
// that entry is on its way it schedules the next batch.
//
// One goroutine, that of Run, owns the fleet; a second one waits for the log. A
// panic of the scheduler fails its evaluation, never the server.
package planner
