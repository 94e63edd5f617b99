// Package e2e drives the built binary from outside: its command line, its HTTP
// API, Nomad's published Go client, and signals. Nothing of serai is called in
// process, and nothing is faked: the tasks are real processes.
//
// TestMain builds the binary once; SERAI_BINARY names one that is already
// built, SERAI_E2E_RACE=1 builds it with the race detector. Each test has jobs
// of its own on an agent that all share, or an agent of its own where it
// breaks something. What an agent leaves behind (processes, mounts, cgroups)
// fails the test, and is removed.
package e2e
