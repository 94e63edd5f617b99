// Package chaos runs servers and a client as real processes, each in a network
// namespace of its own, and breaks them: kill -9, SIGSTOP, partitions. Meanwhile
// callers register, change and read jobs; what they were told must be a history
// that one server without faults could have given (porcupine checks it). In the
// end everything must have healed by itself, all servers must show the same, and
// the task that ran from the beginning must be the same process.
//
// The short form is part of the end-to-end suite. CHAOS_TIME makes it as long as
// wanted, and CHAOS_SEED plays a run's faults again: "make test-chaos".
package chaos
