// Package drain empties nodes that are being drained.
//
// Decide is a pure function of a view and the time: it says which allocations
// shall move now, and which nodes are empty. Loop puts that into commands
// (fsm.DrainStep), many nodes and allocations in each; the scheduler moves what
// is marked. All is derived from the store, so a restart or another leader goes
// on where the drain is.
//
//   - Services leave by the migrate block of their group: never so many that
//     more than max_parallel of the group are not available, over all nodes that
//     are drained together.
//   - Batch and sysbatch allocations may finish.
//   - System allocations leave when all others have.
//   - At the deadline everything goes at once.
//
// Run owns one goroutine, the caller's.
package drain
