// Package chaos runs servers and clients as real processes, each in a network
// namespace of its own, and breaks them: processes, the network, clocks, disks,
// builds (faults_test.go lists how). Meanwhile callers change and read jobs,
// namespaces, configuration and tokens; what they were told must be a history that
// one server without faults could have given (porcupine checks it). In the end
// everything must have healed by itself, the tables of all servers must have equal
// hashes, and the tasks that ran from the beginning must have been started once.
//
// The short form is part of the end-to-end suite. CHAOS_TIME makes it as long as
// wanted, and CHAOS_SEED plays a run's faults again: "make test-chaos". CHAOS_SERVERS
// says how many servers there are (3), CHAOS_LOGS where logs are kept after a failure.
package chaos
