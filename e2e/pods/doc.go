// Package pods tests groups with networks of their own, with the built binary.
//
// The whole of it, agent and tests, runs in a network namespace and a table of
// mounts of its own: no bridge and no rule ever comes to the machine's.
package pods
