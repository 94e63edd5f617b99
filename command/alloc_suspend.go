package command

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func allocSuspend() *cli.Command {
	return taskCommand("suspend", "Stop the tasks of an allocation from running for a while",
		`Freezes the running tasks of an allocation, or one of them: they keep their memory, files and connections, and get no processor
time. They stay so, also when the agent restarts, until they are resumed or stopped.`, api.AllocSuspend)
}

func allocResume() *cli.Command {
	return taskCommand("resume", "Let suspended tasks run on", `Lets the suspended tasks of an allocation, or one of them, run on.`, api.AllocResume)
}

func allocCheckpoint() *cli.Command {
	return taskCommand("checkpoint", "Write down where the tasks of an allocation are",
		`Writes the processes of an allocation's running tasks, or of one of them, to files on its node. The tasks run on. A later
checkpoint takes the place of an earlier one. The node needs CRIU, and the driver must be container or exec.`, api.AllocCheckpoint)
}

func allocRestore() *cli.Command {
	return taskCommand("restore", "Let the tasks of an allocation go on from their checkpoint",
		`Stops the tasks of an allocation that have a checkpoint, or one of them, and starts them from it on the same node. Files are not part
of a checkpoint: they are as the task left them last.`, api.AllocRestore)
}

// taskCommand is a command that asks a node to do something with running tasks.
func taskCommand(name, synopsis, help string, op api.Op[api.AllocTaskRequest, api.None]) *cli.Command {
	var task string
	var verbose bool
	return &cli.Command{
		Name: name, Synopsis: synopsis, Usage: "[options] <allocation> [<task>]", Min: 1, Max: 2, Help: help,
		Define: func(f *cli.Flags) {
			f.String(&task, "task", "<task>", "Only this task; all that run when not given.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if len(inv.Args) == 2 {
				task = inv.Args[1]
			}
			s, a, err := openTask(ctx, inv, task)
			if err != nil {
				return err
			}
			_, err = call(ctx, s, op, api.AllocTaskRequest{WriteOptions: within(a.Namespace), ID: a.ID, Task: task})
			return err
		},
	}
}
