package contain

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/execio"
)

// Exec implements drivers.Execer: the command runs in the task's container, under the same limits, user and filter.
func (c *Containers) Exec(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	t, err := c.Get(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	if !t.Running() {
		return drivers.ExitResult{}, fmt.Errorf("task %s has ended: no command can run in it", id)
	}
	if len(req.Command) == 0 || req.Command[0] == "" {
		return drivers.ExitResult{}, errors.New("exec: name a command to run")
	}
	r, err := readRecord(c.files(id))
	if err != nil {
		return drivers.ExitResult{}, err
	}
	p := r.Process
	filter, err := p.filter()
	if err != nil {
		return drivers.ExitResult{}, err
	}
	file, err := findInside(t.State.Process, p, req.Command[0])
	if err != nil {
		return drivers.ExitResult{}, err
	}
	box, err := libcontainer.Load(c.states(), containerID(id))
	if err != nil {
		return drivers.ExitResult{}, fmt.Errorf("container: %w", err)
	}
	if status, err := box.Status(); err == nil && status == libcontainer.Paused {
		return drivers.ExitResult{}, fmt.Errorf("task %s is suspended: resume it first", id)
	}
	ctl, err := newControl()
	if err != nil {
		return drivers.ExitResult{}, err
	}
	defer ctl.Close()
	// The filter is there before the process asks for it.
	if err := ctl.send(filter); err != nil {
		return drivers.ExitResult{}, err
	}
	cmd := p.process(append([]string{file}, req.Command[1:]...), ctl)
	streams, err := join(box, cmd, req.TTY)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	proc, err := hold(cmd)
	if err != nil {
		streams.Close()
		return drivers.ExitResult{}, err
	}
	defer proc.Close()
	return streams.Run(ctx, proc, req, func() { _ = proc.Signal(unix.SIGKILL) })
}

// join starts the process in the container and returns its streams.
func join(box *libcontainer.Container, cmd *libcontainer.Process, tty bool) (*execio.Streams, error) {
	if tty {
		return joinTerminal(box, cmd)
	}
	streams, err := execio.Pipes()
	if err != nil {
		return nil, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streams.Stdin, streams.Stdout, streams.Stderr
	if err := box.Run(cmd); err != nil {
		streams.Close()
		return nil, fmt.Errorf("container: %w", err)
	}
	return streams, nil
}

// joinTerminal starts the process with a terminal that is made inside the container; our end of it comes back over a socket.
func joinTerminal(box *libcontainer.Container, cmd *libcontainer.Process) (*execio.Streams, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "console"), os.NewFile(uintptr(fds[1]), "console")
	defer ours.Close()
	defer theirs.Close()
	cmd.ConsoleSocket = theirs
	if err := box.Run(cmd); err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	terminal, err := receiveFile(fds[0])
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return execio.FromTerminal(terminal)
}

// receiveFile receives one file over a socket.
func receiveFile(socket int) (*os.File, error) {
	text, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, text, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 {
			return os.NewFile(uintptr(fds[0]), "terminal"), nil
		}
	}
	return nil, errors.New("no file came")
}
