package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrGone: the process has ended, or its number belongs to another one now.
var ErrGone = errors.New("process is gone")

// Identity names one process of this machine for all time: number, start and boot.
type Identity struct {
	PID int
	// StartTime is in clock ticks since boot, as in /proc/<pid>/stat.
	StartTime uint64
	BootID    string
}

// Identify returns the identity of the process that has the number now.
func Identify(pid int) (Identity, error) {
	st, err := readStat(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTime: st.startTime, BootID: bootID()}, nil
}

var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})

// stat is what is used of /proc/<pid>/stat.
type stat struct {
	state     byte
	parent    int
	startTime uint64
	exitCode  uint32
}

// readStat reads field 3 (state), 4 (parent), 22 (start time) and 52 (exit code, 0 unless the reader may trace the process); see proc(5).
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return stat{}, fmt.Errorf("process %d: %w", pid, ErrGone)
	}
	if err != nil {
		return stat{}, err
	}
	// The second field is the name in parentheses, which may hold anything.
	end := bytes.LastIndexByte(b, ')')
	fields := strings.Fields(string(b[end+1:]))
	if end < 0 || len(fields) < 50 {
		return stat{}, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: parent: %w", pid, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	code, err := strconv.ParseInt(fields[49], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: exit code: %w", pid, err)
	}
	return stat{state: fields[0][0], parent: parent, startTime: start, exitCode: uint32(code)}, nil
}
