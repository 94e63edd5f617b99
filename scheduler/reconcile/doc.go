// Package reconcile compares what a job asks for with the allocations that
// there are, and says what has to be done: allocations to stop, to place, to
// update where they are or to replace. It does not choose nodes.
//
// Cluster serves service and batch jobs, whose groups want a number of
// allocations anywhere; PerNode serves system and sysbatch jobs, whose groups
// want one on each node.
package reconcile
