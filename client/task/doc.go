// Package task runs one task of an allocation: set up, start, restart by
// policy, stop, tear down.
//
// What is decided is in Spec.Step, a pure function from a state and an event to
// a new state and a list of actions (see DESIGN.md); scripts under testdata
// hold its whole behaviour. What is done is in Runner, a thin loop that carries
// out actions with a driver and the set-up steps, and turns their outcome into
// events. A Runner owns one goroutine, and one for each operation it waits for.
//
// The allocation runner (client/alloc) is the only caller; when a task may
// start, and why it is killed for another's sake, is decided there.
package task
