package rawexec

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/command"
	"github.com/seraihq/serai/drivers/internal/execio"
)

// Exec implements drivers.Execer: the command runs in the task's group, directory and network, as its user and with its environment.
func (d *Driver) Exec(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	t, err := d.Get(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	if !t.Running() {
		return drivers.ExitResult{}, fmt.Errorf("task %s has ended: no command can run in it", id)
	}
	if err := t.Awake(); err != nil {
		return drivers.ExitResult{}, err
	}
	if len(req.Command) == 0 || req.Command[0] == "" {
		return drivers.ExitResult{}, errors.New("exec: name a command to run")
	}
	p, err := d.plan(t.Config, d.settings())
	if err != nil {
		return drivers.ExitResult{}, err
	}
	p.argv = req.Command
	if p.file, err = command.Find(req.Command[0], t.Config.TaskDir(), command.Value(p.env, "PATH")); err != nil {
		return drivers.ExitResult{}, err
	}
	streams, err := makeStreams(req.TTY)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	cmd := p.command()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streams.Stdin, streams.Stdout, streams.Stderr
	cmd.SysProcAttr.Setctty = req.TTY // the terminal is its standard input
	proc, err := d.fork(t, p, cmd)
	if err != nil {
		streams.Close()
		return drivers.ExitResult{}, err
	}
	defer proc.Close()
	return streams.Run(ctx, proc, req, func() {
		_ = unix.Kill(-proc.Identity().PID, unix.SIGKILL) // its session: it leads one
		_ = proc.Signal(unix.SIGKILL)
	})
}

func makeStreams(tty bool) (*execio.Streams, error) {
	if tty {
		return execio.Terminal()
	}
	return execio.Pipes()
}
