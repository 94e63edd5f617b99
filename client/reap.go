package client

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/internal/pause"
)

const (
	// reapEvery is how often what runs is compared with what should.
	reapEvery = 30 * time.Second
	// reapRounds is how often a group is gone through, for processes that fork
	// while they are killed.
	reapRounds = 20
)

// reapLoop ends processes that belong to allocations of this node that are over
// or that nobody knows. Allocations of other agents are told by their IDs: only
// those with a directory here are this node's.
func (c *Client) reapLoop(ctx context.Context) {
	select {
	case <-c.hold: // before that nobody knows what should run
	case <-ctx.Done():
		return
	}
	for c.reap(); pause.For(ctx, reapEvery); c.reap() {
		c.shareCores() // one that began at the very moment of a change
	}
}

func (c *Client) reap() {
	gone := c.strays()
	for _, e := range c.entries() {
		if e.Over() {
			gone = append(gone, e.ID())
		}
	}
	if len(gone) > 0 {
		killAll(gone, c.logger)
	}
}

// killAll kills what runs of allocations. It is done when twice in a row nothing
// was found: a list of processes that change while it is read may lack one.
func killAll(gone []string, logger *slog.Logger) {
	empty := 0
	for range reapRounds {
		pids := processesOf(gone)
		if len(pids) == 0 {
			if empty++; empty == 2 {
				return
			}
			time.Sleep(5 * time.Millisecond)
			continue
		}
		empty = 0
		for _, pid := range pids {
			logger.Warn("a process of an ended or unknown allocation still runs: it is killed", "pid", pid)
			killProcess(pid, gone)
		}
	}
}

// processesOf lists the processes whose control group is a task's of one of
// these allocations. Drivers name a task's group after its ID, which begins
// with the allocation's.
func processesOf(allocs []string) []int {
	procs, _ := os.ReadDir("/proc") // after an error it is what was read until then
	var out []int
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err == nil && belongs(pid, allocs) && !ended(pid) {
			out = append(out, pid)
		}
	}
	return out
}

// ended says whether a process is over, and only waits for its parent to notice.
func ended(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// The name, in parentheses, may hold anything.
	rest := text[bytes.LastIndexByte(text, ')')+1:]
	return bytes.HasPrefix(rest, []byte(" Z")) || bytes.HasPrefix(rest, []byte(" X"))
}

func belongs(pid int, allocs []string) bool {
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil || !bytes.Contains(groups, []byte("/serai/")) {
		return false
	}
	for _, id := range allocs {
		if bytes.Contains(groups, []byte("/serai/"+id)) {
			return true
		}
	}
	return false
}

// killProcess kills a process, and not another one that has its number by then.
func killProcess(pid int, allocs []string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if belongs(pid, allocs) {
		// One that has just ended is what was wanted.
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}
