// Package execio connects a command that runs inside a task to the streams of whoever asked for it: by pipes, or by a terminal.
//
// Goroutines: one per stream while Run runs; a reader of the caller's input is left behind when that input blocks, and ends with it.
package execio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
)

// drainTime is how long output is still read after the command has ended, when something it started holds the pipe open.
const drainTime = 300 * time.Millisecond

// Streams are both sides of a command's input and output.
type Streams struct {
	// Stdin, Stdout and Stderr are the command's ends. With a terminal all are the same file.
	Stdin, Stdout, Stderr *os.File
	// terminal is our end of the terminal, or nil.
	terminal             *os.File
	input, output, error *os.File
}

// Pipes makes the streams of a command without a terminal.
func Pipes() (*Streams, error) {
	s := &Streams{}
	for _, p := range []struct{ theirs, ours **os.File }{{&s.Stdin, &s.input}, {&s.Stdout, &s.output}, {&s.Stderr, &s.error}} {
		r, w, err := os.Pipe()
		if err != nil {
			s.Close()
			return nil, err
		}
		*p.theirs, *p.ours = w, r
		if p.theirs == &s.Stdin {
			*p.theirs, *p.ours = r, w
		}
	}
	return s, nil
}

// Terminal makes the streams of a command with a terminal of its own on this host.
func Terminal() (*Streams, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	ours := os.NewFile(uintptr(fd), "/dev/ptmx")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("terminal: %w", err)
	}
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return &Streams{Stdin: theirs, Stdout: theirs, Stderr: theirs, terminal: ours}, nil
}

// FromTerminal makes the streams of a command whose terminal was made elsewhere; ours is this side of it.
func FromTerminal(ours *os.File) (*Streams, error) {
	// Only a file that does not block can be read with a deadline.
	fd, err := unix.FcntlInt(ours.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	_ = ours.Close()
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return &Streams{terminal: os.NewFile(uintptr(fd), "terminal")}, nil
}

// Started closes the command's ends, which it has inherited by now.
func (s *Streams) Started() {
	for _, f := range []*os.File{s.Stdin, s.Stdout, s.Stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Close closes everything.
func (s *Streams) Close() {
	s.Started()
	for _, f := range []*os.File{s.terminal, s.input, s.output, s.error} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Run carries data until the command has ended; when ctx ends first, kill is called. It closes the streams and reaps the command.
func (s *Streams) Run(ctx context.Context, p *process.Process, req drivers.ExecRequest, kill func()) (drivers.ExitResult, error) {
	s.Started()
	defer s.Close()
	in, out, errs := s.input, s.output, s.error
	if s.terminal != nil {
		in, out, errs = s.terminal, s.terminal, nil
	}
	done, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.feed(in, req.Stdin)
	if s.terminal != nil && req.Resize != nil {
		go s.resize(done, req.Resize)
	}
	var copies sync.WaitGroup
	drain := func(to io.Writer, from *os.File) {
		if from == nil {
			return
		}
		if to == nil {
			to = io.Discard
		}
		copies.Go(func() {
			_, err := io.Copy(to, from)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = rest(to, from)
			}
			if err != nil && !ended(err) {
				kill() // nobody takes the output any more
			}
		})
	}
	drain(req.Stdout, out)
	drain(req.Stderr, errs)
	stop := context.AfterFunc(ctx, kill)
	defer stop()
	exit, err := p.Wait(context.WithoutCancel(ctx))
	for _, f := range []*os.File{out, errs} {
		if f != nil {
			_ = f.SetReadDeadline(time.Now().Add(drainTime))
		}
	}
	copies.Wait()
	switch {
	case ctx.Err() != nil:
		return drivers.ExitResult{}, ctx.Err()
	case err != nil:
		return drivers.ExitResult{}, err
	case !exit.Known:
		return drivers.ExitResult{ExitCode: -1, Err: drivers.ErrExitUnknown}, nil
	}
	if exit.Signal != 0 {
		return drivers.ExitResult{ExitCode: 128 + exit.Signal, Signal: exit.Signal}, nil
	}
	return drivers.ExitResult{ExitCode: exit.Code}, nil
}

// restLimit is how much output is read after drainTime: more than a pipe holds, so that it comes from something still writing.
const restLimit = 1 << 20

// rest copies what from holds by now, without waiting: a deadline that has passed says nothing of what was written before it, when the
// reader itself, or whoever takes the output, was late.
func rest(to io.Writer, from *os.File) error {
	conn, err := from.SyscallConn()
	if err != nil {
		return err
	}
	if err := from.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for total := 0; total < restLimit; {
		var n int
		var got error
		if err := conn.Read(func(fd uintptr) bool {
			n, got = unix.Read(int(fd), buf)
			return true
		}); err != nil {
			return err
		}
		if got == unix.EINTR {
			continue
		}
		if n <= 0 { // the end, nothing more for now, or an error
			return nil
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
		total += n
	}
	return nil
}

// ended is whether an error of reading only says that the other side is gone: a terminal tells by EIO.
func ended(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded)
}

// feed carries input. Its end closes a pipe; at a terminal it is Ctrl-D.
func (s *Streams) feed(to *os.File, from io.Reader) {
	if from != nil {
		_, _ = io.Copy(to, from)
	}
	if s.terminal == nil {
		_ = to.Close()
		return
	}
	if from != nil {
		_, _ = to.Write([]byte{4})
	}
}

func (s *Streams) resize(ctx context.Context, sizes <-chan drivers.TerminalSize) {
	for {
		select {
		case size, ok := <-sizes:
			if !ok {
				return
			}
			conn, err := s.terminal.SyscallConn()
			if err != nil {
				return
			}
			_ = conn.Control(func(fd uintptr) {
				_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(size.Height), Col: uint16(size.Width)})
			})
		case <-ctx.Done():
			return
		}
	}
}
