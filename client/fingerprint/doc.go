// Package fingerprint finds out what a node is and has: attributes for
// constraints, and resources for placement.
//
// One fingerprinter is one file; the list is written out below. They only read
// files of the kernel and make system calls: nothing is executed, sampled or
// waited for, so that a node is ready at once. One that fails is told and left
// out; it never stops the agent.
//
// The client runs the list when it starts, and again when it is reloaded.
package fingerprint
