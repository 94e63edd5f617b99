// Package brief is what a test tells the intruder: what it has put on the node for
// the intruder to reach.
package brief

// Secret is in what belongs to others: a file of the node, another task's memory and environment.
const Secret = "what no task may see"

// Facts are what the test has put on the node.
type Facts struct {
	// Secret is a file of the node with that text in it, readable by everybody there.
	Secret string
	// Victim is a process of the node, by its number there, that runs as the same user; Marker is in its command line.
	Victim int
	Marker string
	// Key is that of the node's shared memory, queue and semaphore; Queue a message queue's name, Shm a file in /dev/shm.
	Key        int
	Queue, Shm string
	// Abstract and Port are where a process of the node listens.
	Abstract string
	Port     int
	// Disk is the device with the node's files.
	Major, Minor uint32
	// Suid and Fcap are copies of this program with the right to change the user, and with file capabilities.
	Suid, Fcap []string
	// Dir is a directory that the intruder may write to; it lies on the node's disk.
	Dir string
	// HostRoot: the programs and files outside of the task's directories are the node's own.
	HostRoot bool
	// Capabilities are all that the task may have, as a mask.
	Capabilities uint64
	// Control: nothing holds the intruder, which shows what its attacks can reach.
	Control bool
	// Without names groups of attacks that are left out, because they are not what this confinement is about.
	Without []string
}
