package plugin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/signals"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/ability"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/base"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// Serve offers d to the process that started this one, and returns when that asks it to end. It must be called early in main; a process
// that was not started as a plugin is told so and ends with status 1.
func Serve(d drivers.Driver) {
	signals.Unignore()
	serve(d, newLinger(d))
}

func serve(d drivers.Driver, l *linger) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins: goplugin.PluginSet{
			basePlugin:   &servedBase{impl: &server{impl: d}},
			driverPlugin: &servedDriver{impl: &server{impl: d}},
		},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			if l != nil {
				opts = append(opts, grpc.StatsHandler(l))
			}
			return grpc.NewServer(opts...)
		},
		// The library's own messages are of no use to an operator.
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
	})
}

// Main runs this process as the host of one driver when args (as os.Args) are those of one: <binary> driver-host <name>. It then returns true
// once the driver is no longer wanted; otherwise false at once. make returns the driver of that name, or nil.
func Main(args []string, make func(name string, logger *slog.Logger) drivers.Driver) bool {
	if len(args) < 2 || args[1] != hostCommand {
		return false
	}
	if len(args) != 3 {
		fmt.Fprintf(os.Stderr, "usage: %s %s <driver>\n", args[0], hostCommand)
		os.Exit(2)
	}
	// The first thread stays with this goroutine. Threads that have been in a container's namespaces are thrown away, which the first one cannot
	// be, and /proc/self shows what the first one sees.
	runtime.LockOSThread()
	signals.Unignore()
	// Standard error is the host's log file, which outlives the agent.
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("component", "driver", "driver", args[2])
	d := make(args[2], logger)
	if d == nil {
		fmt.Fprintf(os.Stderr, "unknown driver %q\n", args[2])
		os.Exit(2)
	}
	l := newLinger(d)
	if l != nil {
		holdLifeline(l.orphaned)
	}
	serve(d, l)
	return true
}

// hostCommand is the hidden command by which the binary runs a built-in driver.
const hostCommand = "driver-host"

// servedBase and servedDriver register the two services of a driver process.
type (
	servedBase struct {
		goplugin.NetRPCUnsupportedPlugin
		impl *server
	}
	servedDriver struct {
		goplugin.NetRPCUnsupportedPlugin
		impl *server
	}
)

func (s *servedBase) GRPCServer(_ *goplugin.GRPCBroker, gs *grpc.Server) error {
	base.RegisterBasePluginServer(gs, s.impl)
	return nil
}

func (s *servedBase) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, drivers.ErrUnsupported
}

func (s *servedDriver) GRPCServer(_ *goplugin.GRPCBroker, gs *grpc.Server) error {
	driver.RegisterDriverServer(gs, s.impl)
	ability.RegisterAbilitiesServer(gs, &abilities{server: s.impl})
	return nil
}

func (s *servedDriver) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, drivers.ErrUnsupported
}
