package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running or just ended process held by a pidfd.
type Process struct {
	id Identity
	f  *os.File
}

// Open takes hold of the process with this identity, or returns ErrGone. One that has ended and was not waited for counts as there.
func Open(id Identity) (*Process, error) {
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.EINVAL) { // before Linux 5.10
		fd, err = unix.PidfdOpen(id.PID, 0)
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("process %d: %w", id.PID, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: pidfd_open: %w", id.PID, err)
	}
	p := adopt(id, fd)
	now, err := Identify(id.PID)
	if err == nil && now != id {
		err = fmt.Errorf("process %d is another one now: %w", id.PID, ErrGone)
	}
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// Adopt makes a Process of a child just started, from the pidfd that clone returned.
func Adopt(pid, pidfd int) (*Process, error) {
	id, err := Identify(pid)
	if err != nil {
		return nil, err
	}
	_ = unix.SetNonblock(pidfd, true)
	return adopt(id, pidfd), nil
}

func adopt(id Identity, fd int) *Process {
	return &Process{id: id, f: os.NewFile(uintptr(fd), "pidfd")}
}

// Identity names the process.
func (p *Process) Identity() Identity { return p.id }

// Close lets go of the process, which runs on. A Wait under way ends with os.ErrClosed.
func (p *Process) Close() error { return p.f.Close() }

// Signal sends a signal; ErrGone when the process has ended.
func (p *Process) Signal(sig unix.Signal) error {
	err := p.control(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d: %w", p.id.PID, ErrGone)
	}
	return err
}

func (p *Process) control(f func(fd int) error) error {
	conn, err := p.f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// Exit is how a process ended.
type Exit struct {
	Code   int
	Signal int
	// Known is false when nothing could be learned; the other fields are then 0.
	Known bool
}

func exitOf(status unix.WaitStatus) Exit {
	if status.Signaled() {
		return Exit{Signal: int(status.Signal()), Known: true}
	}
	return Exit{Code: status.ExitStatus(), Known: true}
}

// Wait returns once the process has ended. A child is reaped by it; how a process that is not a child ended is read from its remains, which
// works where the kernel keeps them for holders of a pidfd (Linux 6.15) or nobody has reaped the process yet. Only one Wait may be
// under way, and it must be the only one that waits for this child.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	if err := p.Ended(ctx); err != nil {
		return Exit{}, err
	}
	return p.collect(ctx)
}

// Alive is whether the process still runs.
func (p *Process) Alive() bool {
	alive := false
	_ = p.control(func(fd int) error { alive = !readable(fd); return nil })
	return alive
}

func readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents != 0
}

// collect learns how the ended process ended: as its parent, from the zombie, or from what the kernel keeps after it was reaped.
func (p *Process) collect(ctx context.Context) (Exit, error) {
	if e, ok := p.reap(); ok {
		return e, nil
	}
	zombie := p.fromZombie()
	deadline := time.Now().Add(2 * time.Second)
	for {
		if e, ok := p.fromKernel(); ok {
			return e, nil
		}
		if zombie.Known {
			return zombie, nil
		}
		// The zombie is gone and the kernel told nothing: there is nothing left to learn.
		if _, err := readStat(p.id.PID); errors.Is(err, ErrGone) {
			e, _ := p.fromKernel()
			return e, nil
		}
		if time.Now().After(deadline) {
			return Exit{}, nil
		}
		select {
		case <-ctx.Done():
			return Exit{}, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		zombie = p.fromZombie()
	}
}

func (p *Process) reap() (Exit, bool) {
	var status unix.WaitStatus
	for {
		pid, err := unix.Wait4(p.id.PID, &status, unix.WNOHANG|unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid != p.id.PID {
			return Exit{}, false
		}
		return exitOf(status), true
	}
}

// fromZombie reads the exit code that /proc shows of an ended process that was not reaped yet.
func (p *Process) fromZombie() Exit {
	st, err := readStat(p.id.PID)
	if err != nil || st.state != 'Z' || st.startTime != p.id.StartTime {
		return Exit{}
	}
	if st.exitCode == 0 && os.Geteuid() != 0 {
		return Exit{} // 0 is also what those see who may not look
	}
	return exitOf(unix.WaitStatus(st.exitCode))
}

// fromKernel asks the pidfd what became of its process.
func (p *Process) fromKernel() (Exit, bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := p.control(func(fd int) error { return unix.IoctlPidfdInfo(fd, &info) })
	if err != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return Exit{}, false
	}
	return exitOf(unix.WaitStatus(info.Exit_code)), true
}

// Ended returns nil once the process has ended, leaving it to Wait to reap it, or ctx's error.
func (p *Process) Ended(ctx context.Context) error {
	conn, err := p.f.SyscallConn()
	if err != nil {
		return err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = p.f.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	err = conn.Read(func(fd uintptr) bool { return readable(int(fd)) })
	if !stop() {
		<-interrupted
		_ = p.f.SetReadDeadline(time.Time{})
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("process %d: wait: %w", p.id.PID, err)
}
