package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// Exec runs a command beside the script: in its group and directory, as its user, with its environment.
func (d *Driver) Exec(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	t, err := d.task(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	if !t.running() || len(req.Command) == 0 {
		return drivers.ExitResult{}, fmt.Errorf("task %s: a command needs a running task and a name", id)
	}
	cmd, err := command(t.config, req.Command[0])
	if err != nil {
		return drivers.ExitResult{}, err
	}
	cmd.Args = req.Command
	ends := pipes
	if req.TTY {
		ends = terminal
		cmd.SysProcAttr.Setctty = true
	}
	theirs, ours, err := ends()
	if err != nil {
		return drivers.ExitResult{}, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	pid, fd, err := startIn(t.Group, t.config.Resources.Cpuset, cmd)
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		closeAll(ours)
		return drivers.ExitResult{}, err
	}
	defer unix.Close(fd)
	return follow(ctx, pid, fd, ours, req)
}

// follow carries the command's streams until it ends or ctx does.
func follow(ctx context.Context, pid, fd int, ours [3]*os.File, req drivers.ExecRequest) (drivers.ExitResult, error) {
	stop := context.AfterFunc(ctx, func() { _ = unix.Kill(-pid, unix.SIGKILL) }) // its session: it leads one
	defer stop()
	var output sync.WaitGroup
	for i, w := range []io.Writer{req.Stdout, req.Stderr} {
		if ours[i+1] == nil {
			continue
		}
		if w == nil {
			w = io.Discard
		}
		output.Go(func() { _, _ = io.Copy(w, ours[i+1]) })
	}
	go func() { // ends with the caller's input, or when the command's end is closed
		if req.Stdin != nil {
			_, _ = io.Copy(ours[0], req.Stdin)
		}
		if req.TTY {
			_, _ = ours[0].Write([]byte{4}) // end of input, as a terminal says it
		} else {
			_ = ours[0].Close()
		}
	}()
	ended := make(chan struct{})
	go resize(ours[0], req.Resize, ended)
	result := waitEnd(pid, fd)
	close(ended)
	// What the command has started may hold its output open: that is read a moment longer and then left.
	deadline := time.AfterFunc(300*time.Millisecond, func() { closeAll(ours) })
	output.Wait()
	deadline.Stop()
	closeAll(ours)
	if ctx.Err() != nil {
		return drivers.ExitResult{}, ctx.Err()
	}
	return result, nil
}

func resize(terminal *os.File, sizes <-chan drivers.TerminalSize, ended <-chan struct{}) {
	for {
		select {
		case s, ok := <-sizes:
			if !ok {
				return
			}
			conn, err := terminal.SyscallConn()
			if err != nil {
				return
			}
			_ = conn.Control(func(fd uintptr) {
				_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(s.Height), Col: uint16(s.Width)})
			})
		case <-ended:
			return
		}
	}
}

// pipes are the command's ends of its three streams, and ours.
func pipes() (theirs, ours [3]*os.File, err error) {
	for i := range theirs {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(theirs)
			closeAll(ours)
			return theirs, ours, err
		}
		theirs[i], ours[i] = w, r
		if i == 0 {
			theirs[i], ours[i] = r, w
		}
	}
	return theirs, ours, nil
}

// terminal is a new terminal: all three of the command's ends are its one side. Ours is the other, for input and output.
func terminal() (theirs, ours [3]*os.File, err error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return theirs, ours, fmt.Errorf("terminal: %w", err)
	}
	conn, err := master.SyscallConn()
	if err != nil {
		return theirs, ours, err
	}
	var number int
	var inner error
	err = conn.Control(func(fd uintptr) {
		if inner = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); inner == nil {
			number, inner = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err == nil {
		err = inner
	}
	for i := range theirs {
		if err == nil {
			theirs[i], err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
		}
	}
	if err != nil {
		closeAll(theirs)
		_ = master.Close()
		return theirs, ours, fmt.Errorf("terminal: %w", err)
	}
	return theirs, [3]*os.File{master, master, nil}, nil
}

func closeAll(list [3]*os.File) {
	for _, f := range list {
		if f != nil {
			_ = f.Close()
		}
	}
}
