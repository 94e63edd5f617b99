package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
)

// A process of the driver that nobody needs any more, because the agent is gone and all tasks have ended, ends too. What only it knows of the tasks
// lies in their private directories meanwhile, until the next process recovers them.

// ended is that of one task.
type ended struct {
	// Process tells the run of the task apart from others.
	Process   process.Identity
	Completed time.Time
	ExitCode  int
	Signal    int    `json:",omitempty"`
	OOMKilled bool   `json:",omitempty"`
	Unknown   bool   `json:",omitempty"`
	Err       string `json:",omitempty"`
	// Outputs is what was left in the task's pipes, which end with the process that holds them.
	Outputs [][]byte `json:",omitempty"`
}

// maxEnded bounds the file: two full pipes of the largest size that tasks without rights can make.
const maxEnded = 4 << 20

// Leave writes down how tasks have ended. It fails while one runs.
func (s *Set) Leave() error {
	taken := map[*Task][][]byte{}
	for _, t := range s.tasks.All() {
		err := errStillRuns
		if !t.Running() {
			taken[t], err = t.leave()
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) { // without its directory nobody will ask
			continue
		}
		for t, outputs := range taken {
			t.giveBack(outputs)
		}
		return fmt.Errorf("task %s: %w", t.ID, err)
	}
	return nil
}

var errStillRuns = errors.New("it still runs")

// endedName is the file's name in the allocation's directory: beneath that one nothing leads away, whatever the task has put there.
func (t *Task) endedName() string {
	return filepath.Join(t.Name, "private", "ended-"+path.Base(t.ID)+".json")
}

// leave writes down how the task ended, and returns what it took out of its pipes.
func (t *Task) leave() ([][]byte, error) {
	r := t.Result()
	t.mu.Lock()
	e := ended{Process: t.State.Process, Completed: t.completed, ExitCode: r.ExitCode, Signal: r.Signal, OOMKilled: r.OOMKilled}
	t.mu.Unlock()
	if e.Unknown = errors.Is(r.Err, drivers.ErrExitUnknown); r.Err != nil && !e.Unknown {
		e.Err = r.Err.Error()
	}
	for _, f := range t.outputs {
		e.Outputs = append(e.Outputs, unread(f))
	}
	text, err := json.Marshal(e)
	if err != nil {
		return e.Outputs, err
	}
	root, err := os.OpenRoot(t.Config.AllocDir)
	if err != nil {
		return e.Outputs, err
	}
	defer root.Close()
	return e.Outputs, root.WriteFile(t.endedName(), text, 0o600)
}

// unread takes what is in a pipe out of it.
func unread(f *os.File) []byte {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	var out []byte
	_ = conn.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		if err != nil || n <= 0 || n > maxEnded/4 {
			return
		}
		out = make([]byte, n)
		got, err := unix.Read(int(fd), out) // no more than is there: it does not wait
		out = out[:max(got, 0)]
		if err != nil {
			out = nil
		}
	})
	return out
}

// returned finds how a task ended that another process has left, and puts what it had written last back into its pipes.
func (t *Task) returned() (ended, bool) {
	var e ended
	root, err := os.OpenRoot(t.Config.AllocDir)
	if err != nil {
		return e, false
	}
	defer root.Close()
	st, err := root.Lstat(t.endedName())
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxEnded {
		return e, false
	}
	text, err := root.ReadFile(t.endedName())
	if err != nil || json.Unmarshal(text, &e) != nil || e.Process != t.State.Process {
		return e, false
	}
	t.holdOutputs()
	t.giveBack(e.Outputs)
	return e, true
}

func (t *Task) giveBack(outputs [][]byte) {
	for i, left := range outputs {
		if i < len(t.outputs) && len(left) > 0 {
			putBack(t.outputs[i], left)
		}
	}
}

// putBack writes into a pipe what was in it; what does not fit is lost.
func putBack(f *os.File, text []byte) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil {
			return
		}
		_, _ = unix.FcntlInt(fd, unix.F_SETFL, flags|unix.O_NONBLOCK)
		_, _ = unix.Write(int(fd), text)
	})
}

// result is what Wait tells.
func (e ended) result() drivers.ExitResult {
	r := drivers.ExitResult{ExitCode: e.ExitCode, Signal: e.Signal, OOMKilled: e.OOMKilled}
	switch {
	case e.Unknown:
		r.Err = drivers.ErrExitUnknown
	case e.Err != "":
		r.Err = errors.New(e.Err)
	}
	return r
}

// forgetEnded removes the file; the task is destroyed.
func (t *Task) forgetEnded() {
	if root, err := os.OpenRoot(t.Config.AllocDir); err == nil {
		_ = root.Remove(t.endedName())
		_ = root.Close()
	}
}
