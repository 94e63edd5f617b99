package command

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seraihq/serai/command/cli"
)

// Name is what the program is called in help and messages.
const Name = "serai"

// Main runs the command that the arguments (without the program's name) name
// and gives the exit code. Interrupts end commands through their context.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return Run(ctx, args, os.Stdin, os.Stdout, os.Stderr, os.Getenv)
}

// Run is Main with its surroundings given, for tests.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	p := &cli.Program{
		Root: root(), Version: versionLine,
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Getenv: getenv,
		Explain: explain,
	}
	return p.Run(ctx, args)
}
