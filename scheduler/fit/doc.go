// Package fit says whether an allocation fits on a node. The scheduler asks it
// when it places, and the FSM asks it again when it applies a plan: one
// function, so that the two can never disagree about the same facts.
//
// It imports only api, keeps no state and starts no goroutine.
package fit
