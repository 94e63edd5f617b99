package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
)

// secretText is in what belongs to others: a file of the node, another task's memory and environment.
const secretText = "what no task may see"

// facts are what the test has put on the node.
type facts struct {
	// Secret is a file of the node with secretText in it, readable by everybody there.
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

// attack is one way out. try says what was reached, or nothing.
type attack struct {
	group, name string
	// sometimes: the node's kernel may lack what it attacks.
	sometimes bool
	try       func(*facts) string
}

func attacks() []attack {
	return slices.Concat(startAttacks, fileAttacks, kernelAttacks(), deviceAttacks(), mountAttacks, processAttacks, memoryAttacks, networkAttacks(), callAttacks(), rightAttacks)
}

func main() {
	if len(os.Args) > 1 && role(os.Args[1], os.Args[2:]) {
		return
	}
	started = look() // before the runtime opens files of its own
	text := []byte(os.Getenv("INTRUDER"))
	if len(text) == 0 { // whoever is started instead of another program gets no variables
		text, _ = os.ReadFile(os.Args[0] + ".facts")
	}
	var f facts
	if err := json.Unmarshal(text, &f); err != nil {
		fmt.Println("INTRUDER:", err)
		os.Exit(2)
	}
	n := 0
	for _, a := range attacks() {
		if slices.Contains(f.Without, a.group) {
			continue
		}
		n++
		name := a.group + ": " + a.name
		if a.sometimes {
			name += "?"
		}
		if got := onThread(func() string { return a.try(&f) }); got != "" {
			fmt.Printf("GOT %s: %s\n", name, got)
		} else {
			fmt.Printf("held %s\n", name)
		}
	}
	fmt.Println("end", n)
}

// onThread runs f on a thread that ends with it: what f takes from itself, no other attack lacks.
func onThread(f func() string) string {
	result := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked
		defer func() {
			if e := recover(); e != nil {
				result <- fmt.Sprintf("panic: %v", e)
			}
		}()
		result <- f()
	}()
	return <-result
}

// did says "it worked" for a call without an error.
func did(err error) string {
	if err != nil {
		return ""
	}
	return "it worked"
}
