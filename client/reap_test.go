package client

import (
	"os/exec"
	"testing"
	"time"
)

// A process that nobody has waited for is over, and not killed again and again.
func TestEnded(t *testing.T) {
	c := exec.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Wait() }()
	if ended(c.Process.Pid) {
		t.Error("it runs")
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !ended(c.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was killed, and is not over")
		}
	}
}
