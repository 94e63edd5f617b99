// Package sim lets the real scheduler work on a cluster that is not there: a
// World is a state and a fleet in memory, over a snapshot or a description,
// that takes plans as the servers do and settles at once: what is stopped has
// ended, what is placed runs and is healthy.
//
// Run applies edits (nodes lost or added, jobs run or scaled) and tells what
// moves, what does not fit and why, and how full the fleet is before and after.
// Spare asks what would not fit if a node or a datacenter were lost.
//
// It is pure: no I/O, no clock, no goroutine. `serai sim` reads the files,
// and the servers plan several jobs as one on it.
package sim
