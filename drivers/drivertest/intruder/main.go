package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/seraihq/serai/drivers/drivertest/intruder/brief"
)

const secretText = brief.Secret

type facts = brief.Facts

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
