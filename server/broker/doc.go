// Package broker is the queue of evaluations on the leader: which evaluation
// is looked at next, and which have to wait.
//
// All that it holds is derived from the evaluations in the store: Run reads
// the view once and then follows the change feed, so losing leadership loses
// nothing. An evaluation that is pending is queued by priority, one at a time
// per job and in turn between namespaces; of several of one job that wait the
// newest does the work of all, and the others are canceled; one with a time is held until then;
// one that is blocked waits for capacity of a node class that it may use.
//
// The planner calls Next and Done. The package owns the goroutine that Run is
// called on, nothing else.
package broker
