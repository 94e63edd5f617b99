// Package fsm turns the replicated log into state. A command is a small,
// numbered struct: what somebody wants changed, with every time, identifier
// and random value already in it, so that every server that applies it makes
// the same of it. Its apply function stands beside it, one file per object;
// registry.go lists them all.
//
// An entry is the command's number in two bytes and its payload: CBOR, or a
// hand-written form for the two hot ones, PlanApply and AllocUpdate. Numbers
// and formats are for ever: golden files under testdata are decoded by every
// later version.
//
// A command that asks for something impossible is refused: it changes nothing
// and its error goes back to whoever proposed it. An entry that this version
// does not know stops the process (ErrFatal): skipping it would make this
// server's state differ from the others' in silence.
//
// The consensus package calls Apply from its one goroutine.
package fsm
