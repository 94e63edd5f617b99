package chaos

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process is given a wall clock of its own by a change of its vDSO, the code of
// the kernel that every process has and that Go asks for the time: its function
// clock_gettime is led to a few instructions that ask the kernel and add seconds
// when CLOCK_REALTIME was asked for. The program under test is the one that is
// shipped, and all of it sees the jump: its libraries, TLS, timers.

// shim is what the function is led to. The seconds are at shimSeconds.
var shim = []byte{
	0xb8, 0xe4, 0, 0, 0, // mov eax, clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi (CLOCK_REALTIME is 0)
	0x75, 0x0d, // jne to the end
	0x48, 0xba, 0, 0, 0, 0, 0, 0, 0, 0, // mov rdx, seconds
	0x48, 0x01, 0x16, // add [rsi], rdx
	0xc3, // ret
}

const (
	shimSeconds = 13
	jumpBytes   = 5
)

var errNoClock = errors.New("clocks of processes cannot be set here")

// shiftClock sets the wall clock of a process ahead of the machine's, or behind.
func shiftClock(pid int, by time.Duration) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("%w: the code is for amd64", errNoClock)
	}
	from, to, err := vdso(pid)
	if err != nil {
		return err
	}
	if err := stopped(pid); err != nil {
		return err
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	code := make([]byte, to-from)
	if _, err := mem.ReadAt(code, from); err != nil {
		return fmt.Errorf("read the vDSO: %w", err)
	}
	entry, room, err := places(code)
	if err != nil {
		return err
	}
	mine := bytes.Clone(shim)
	binary.LittleEndian.PutUint64(mine[shimSeconds:], uint64(int64(by/time.Second)))
	if _, err := mem.WriteAt(mine, from+room); err != nil {
		return fmt.Errorf("write the vDSO: %w", err)
	}
	jump := append([]byte{0xe9}, binary.LittleEndian.AppendUint32(nil, uint32(room-entry-jumpBytes))...)
	if bytes.Equal(code[entry:entry+jumpBytes], jump) {
		return nil // it is led there already
	}
	if _, err := mem.WriteAt(jump, from+entry); err != nil {
		return fmt.Errorf("write the vDSO: %w", err)
	}
	return nil
}

// vdso finds the code in the memory of a process.
func vdso(pid int) (from, to int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			return from, to, err
		}
	}
	return 0, 0, fmt.Errorf("%w: the process has no vDSO", errNoClock)
}

// places finds the function, and where there is room for ours: behind the code.
func places(code []byte) (entry, room int64, err error) {
	f, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errNoClock, err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errNoClock, err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			entry = int64(s.Value)
		}
	}
	room = int64(len(code)) - 64
	if tail := code[room:]; entry == 0 || entry+jumpBytes > room || !bytes.Equal(tail, make([]byte, 64)) && !bytes.HasPrefix(tail, shim[:shimSeconds]) {
		return 0, 0, fmt.Errorf("%w: the vDSO is not as expected", errNoClock)
	}
	return entry, room, nil
}

// stopped stops a process, and waits until all of it stands.
func stopped(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		moving := false
		for _, task := range tasks {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
			if err != nil {
				continue
			}
			fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
			moving = moving || len(fields) == 0 || fields[0] != "T"
		}
		if !moving {
			return nil
		}
	}
	_ = syscall.Kill(pid, syscall.SIGCONT)
	return fmt.Errorf("process %d does not stop", pid)
}

// TestClocksJump gives a process another time.
func TestClocksJump(t *testing.T) {
	needs(t)
	c := newCluster(t, builds(t), 1, 0)
	c.led()
	m := c.servers[0]
	for _, by := range []time.Duration{0, 24 * time.Hour, -time.Hour, 0} {
		if by != 0 || m.shifted != 0 {
			if err := c.shift(m, by); errors.Is(err, errNoClock) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
		}
		c.until(fmt.Sprintf("the server's clock is off by %s", by), func(ctx context.Context) error {
			got, err := c.clock(ctx, 0)
			if off := got.Sub(time.Now()) - by; err == nil && off.Abs() > time.Minute {
				err = fmt.Errorf("it says %s, which is off by %s", got, off)
			}
			return err
		})
	}
}
