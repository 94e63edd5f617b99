// Package scheduler decides where allocations run. Schedule takes one
// evaluation and a view of the cluster and returns a plan; it reads nothing
// else, so that the same input always gives the same plan.
//
// It is pure: no I/O, no clock, no goroutine. The planner calls it for real
// evaluations, the job plan endpoint for dry runs on edited input.
//
// The parts: fit says whether an allocation fits on a node, fleet is the dense
// index of nodes and their free resources, feasible turns the constraints of a
// group into filters over the fleet, rank scores, reconcile compares what a job
// asks for with what there is. DESIGN.md tells how they work together.
package scheduler
