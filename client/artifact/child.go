package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/client/artifact/confine"
	"github.com/seraihq/serai/client/artifact/fetch"
)

const (
	maxAnswer    = 64 << 10
	maxComplaint = 8 << 10
	// afterKill is how long the pipes of a child that was killed are waited for.
	afterKill = 2 * time.Second
)

// defaultPath is where a child looks for git and ssh.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// child is a process that fetches.
type child struct {
	order fetch.Order
	local *os.File
	uid   int // below 0: the agent's own
	work  string
	root  string
}

// run starts a child, hands it its order and waits for its answer. No process
// of it is left when it returns.
func (f *Fetcher) run(ctx context.Context, c child) (fetch.Answer, error) {
	if t := c.order.Limits.Time; t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t+grace)
		defer cancel()
	}
	spec := f.spec(c)
	answer, err := f.start(ctx, c, spec)
	if err != nil && spec.View && errors.Is(err, unix.EPERM) {
		// Root in a container that may not make namespaces: Landlock must do.
		if !f.noView.Swap(true) {
			f.cfg.Logger.Warn("the kernel refuses namespaces: artifacts are fetched behind Landlock alone", "err", err)
		}
		return f.start(ctx, c, f.spec(c))
	}
	return answer, err
}

func (f *Fetcher) start(ctx context.Context, c child, spec confine.Spec) (fetch.Answer, error) {
	args, err := fetch.Args(spec)
	if err != nil {
		return fetch.Answer{}, err
	}
	order, err := json.Marshal(c.order)
	if err != nil {
		return fetch.Answer{}, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = "serai"
	cmd.Dir, cmd.Env, cmd.WaitDelay = "/", f.environment(), afterKill
	said, complaint := &head{left: maxAnswer}, &head{left: maxComplaint}
	cmd.Stdout, cmd.Stderr = said, complaint
	if c.local != nil {
		cmd.ExtraFiles = []*os.File{c.local}
	}
	// A group of its own, so that all of it can be ended where it has no PID
	// namespace, with whose first process the others go.
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if c.uid >= 0 {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWIPC
		if spec.View {
			cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS | unix.CLONE_NEWUTS
		} else if f.noView.Load() {
			cmd.SysProcAttr.Cloneflags = 0
		}
	}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	in, err := cmd.StdinPipe()
	if err != nil {
		return fetch.Answer{}, err
	}
	if err := cmd.Start(); err != nil {
		return fetch.Answer{}, fmt.Errorf("start a child process: %w", err)
	}
	// A child that does not read has ended, or is ended with ctx; then Wait tells.
	_, _ = in.Write(order)
	err = cmd.Wait()
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what it has left behind
	if ctx.Err() != nil {
		return fetch.Answer{}, ctx.Err()
	}
	return f.read(said, complaint, err)
}

// read makes sense of what a child has said.
func (f *Fetcher) read(said, complaint *head, err error) (fetch.Answer, error) {
	var a fetch.Answer
	if json.Unmarshal(said.buf.Bytes(), &a) == nil && said.buf.Len() > 0 {
		return a, nil
	}
	f.cfg.Logger.Debug("a child process that fetches has ended without an answer", "err", err, "stderr", complaint.buf.String())
	why := "without an answer"
	if err != nil {
		why = err.Error()
	}
	if strings.Contains(complaint.buf.String(), "out of memory") || strings.Contains(complaint.buf.String(), "cannot allocate memory") {
		return a, errors.New("the child process that fetched it has needed more memory than it may have: the archive asks for too much")
	}
	return a, fmt.Errorf("the child process that fetched it has ended: %s", why)
}

// environment gives a child what every program needs, and the variables of the
// agent's own that the operator has named.
func (f *Fetcher) environment() []string {
	env := []string{defaultPath, "LANG=C", "GOMEMLIMIT=512MiB", "GOTRACEBACK=single"}
	for _, name := range f.cfg.Environment {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// head keeps the beginning of what is written.
type head struct {
	buf  bytes.Buffer
	left int
}

func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.left)
	h.left -= n
	h.buf.Write(p[:n])
	return len(p), nil // it may say what it likes
}
