package docker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// execPoll is how often the engine is asked whether a command whose output has ended has ended too.
const execPoll = 20 * time.Millisecond

// Exec implements drivers.Execer: the command runs in the container, as its user and with its environment.
func (d *Driver) Exec(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	if d.fallback.has(id) {
		return d.fallback.inner.Exec(ctx, id, req)
	}
	t, err := d.tasks.Get(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	if !t.running() {
		return drivers.ExitResult{}, fmt.Errorf("task %s has ended: no command can run in it", id)
	}
	if len(req.Command) == 0 || req.Command[0] == "" {
		return drivers.ExitResult{}, errors.New("exec: name a command to run")
	}
	cli, err := d.engine.client()
	if err != nil {
		return drivers.ExitResult{}, err
	}
	made, err := cli.ExecCreate(ctx, t.state.Container, client.ExecCreateOptions{Cmd: req.Command, TTY: req.TTY,
		AttachStdin: true, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return drivers.ExitResult{}, fmt.Errorf("exec in task %s: %w", id, err)
	}
	attached, err := cli.ExecAttach(ctx, made.ID, client.ExecAttachOptions{TTY: req.TTY})
	if err != nil {
		return drivers.ExitResult{}, fmt.Errorf("exec in task %s: %w", id, err)
	}
	e := &execution{cli: cli, id: made.ID, stream: attached.HijackedResponse, req: req}
	return e.run(ctx)
}

// execution is one command that runs in a container.
type execution struct {
	cli    *client.Client
	id     string
	stream client.HijackedResponse
	req    drivers.ExecRequest
}

// run carries data until the command has ended; when ctx ends first, the command is killed.
func (e *execution) run(ctx context.Context) (drivers.ExitResult, error) {
	defer e.stream.Close()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	go e.feed()
	if e.req.TTY && e.req.Resize != nil {
		go e.resize(inner)
	}
	stop := context.AfterFunc(ctx, func() {
		e.kill()
		e.stream.Close()
	})
	defer stop()
	outErr := e.output()
	if ctx.Err() != nil {
		return drivers.ExitResult{}, ctx.Err()
	}
	if outErr != nil { // nobody takes the output any more
		e.kill()
	}
	return e.result(ctx)
}

// result asks how the command ended.
func (e *execution) result(ctx context.Context) (drivers.ExitResult, error) {
	for {
		state, err := e.cli.ExecInspect(ctx, e.id, client.ExecInspectOptions{})
		if err != nil {
			if ctx.Err() != nil {
				return drivers.ExitResult{}, ctx.Err()
			}
			return drivers.ExitResult{ExitCode: -1, Err: drivers.ErrExitUnknown}, nil
		}
		if !state.Running && state.PID == 0 && state.ExitCode == drivers.ExitCommandNotExecutable {
			// It never ran, and why is in its output. Engines told 126 of commands that are not there, too, before they told 127.
			return drivers.ExitResult{ExitCode: drivers.ExitCommandNotFound}, nil
		}
		if !state.Running {
			return *exitResult(int64(state.ExitCode), false), nil
		}
		select {
		case <-ctx.Done():
			e.kill()
			return drivers.ExitResult{}, ctx.Err()
		case <-time.After(execPoll):
		}
	}
}

// feed carries input to the command. Its end closes a pipe; at a terminal it is Ctrl-D.
func (e *execution) feed() {
	if e.req.Stdin != nil {
		_, _ = io.Copy(e.stream.Conn, e.req.Stdin)
	}
	if e.req.TTY {
		if e.req.Stdin != nil {
			_, _ = e.stream.Conn.Write([]byte{4})
		}
		return
	}
	_ = e.stream.CloseWrite()
}

// output carries the command's output to its end; the error says that it is not taken.
func (e *execution) output() error {
	out, errs := e.req.Stdout, e.req.Stderr
	if out == nil {
		out = io.Discard
	}
	if errs == nil {
		errs = io.Discard
	}
	if e.req.TTY {
		w := &failing{w: out}
		_, _ = io.Copy(w, e.stream.Reader)
		return w.err
	}
	var head [8]byte
	for {
		if _, err := io.ReadFull(e.stream.Reader, head[:]); err != nil {
			return nil
		}
		w := &failing{w: out}
		if head[0] == 2 {
			w.w = errs
		}
		if _, err := io.CopyN(w, e.stream.Reader, int64(binary.BigEndian.Uint32(head[4:]))); err != nil {
			return w.err
		}
	}
}

// failing remembers that writing failed, to tell it from reading.
type failing struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (f *failing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		f.err = err
	}
	return n, err
}

func (e *execution) resize(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case size, ok := <-e.req.Resize:
			if !ok {
				return
			}
			e.resizeTo(ctx, size)
		}
	}
}

// resizeTo tells the engine the terminal's size, again while the command is still being started.
func (e *execution) resizeTo(ctx context.Context, size drivers.TerminalSize) {
	for range 50 {
		_, err := e.cli.ExecResize(ctx, e.id, client.ExecResizeOptions{Height: uint(max(0, size.Height)), Width: uint(max(0, size.Width))})
		if err == nil || ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(execPoll):
		}
	}
}

// kill ends the command, which the engine has no call for: by its number on this host.
func (e *execution) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for range 100 {
		before, err := e.cli.ExecInspect(ctx, e.id, client.ExecInspectOptions{})
		if err != nil || !before.Running && before.PID != 0 {
			return
		}
		if before.PID > 0 {
			fd, err := unix.PidfdOpen(before.PID, 0)
			if err != nil {
				return
			}
			// It has the number still, so the descriptor is its own.
			if now, err := e.cli.ExecInspect(ctx, e.id, client.ExecInspectOptions{}); err == nil && now.Running && now.PID == before.PID {
				_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			}
			_ = unix.Close(fd)
			return
		}
		time.Sleep(execPoll) // it is still being started
	}
}
