// Package host is the hidden side of the binary: the modes in which it runs as a process of its own drivers rather than for people.
//
// main calls Main before anything else.
package host

import (
	"log/slog"
	"syscall"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/builtin"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/plugin"
)

// Main runs this process in one of the hidden modes of the binary, when args (as os.Args) ask for one, and returns true when it is done: the
// host process of a driver (<binary> driver-host <name>). As the first process of a container (<binary> init) it does not return.
func Main(args []string) (handled bool) {
	contain.Init(args)
	return plugin.Main(args, func(name string, logger *slog.Logger) drivers.Driver {
		// The agent keeps its files to itself; tasks get the mask that programs expect. The host's own files are in a private folder.
		syscall.Umask(0o022)
		if b, ok := builtin.Lookup(name); ok {
			return b.New(logger)
		}
		return nil
	})
}
