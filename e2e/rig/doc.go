// Package rig starts built serai agents as child processes, for the end-to-end
// tests and for e2e/bench. Each agent gets free loopback ports, a directory and a
// range of dynamic ports of its own, so that many run at once, and carries a
// mark in its environment. By the mark, the directory and the IDs of its
// allocations everything that it started is found again.
//
// It knows the agent from outside only: its command line, its configuration
// and its HTTP API. It ends only what carries the mark of its own agents.
package rig
