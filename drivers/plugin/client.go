package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// Options say how to start a driver process.
type Options struct {
	// Name is for messages and the name of the log file.
	Name string
	// Path and Args are the command. HostCommand gives those of a built-in driver.
	Path string
	Args []string
	// Env is added to the few variables that a driver process inherits.
	Env []string
	// Dir is where sockets and the log file go; it is made with mode 0700.
	Dir    string
	Logger *slog.Logger
	// Timeout for the process to report its address and describe itself; 0 means 30 seconds.
	Timeout time.Duration
}

// HostCommand is the command by which executable, or the running binary when that is empty, serves a built-in driver.
func HostCommand(executable, driver string) (path string, args []string, err error) {
	if executable == "" {
		if executable, err = os.Executable(); err != nil {
			return "", nil, fmt.Errorf("find the running binary: %w", err)
		}
	}
	return executable, []string{hostCommand, driver}, nil
}

// Client is a Driver that runs in another process.
type Client struct {
	*remote
	conn    *grpc.ClientConn
	process *process.Process
	data    reattach
	exited  chan struct{}
	detach  context.CancelFunc
	joined  sync.WaitGroup
	// lifeline is nil for a process that was found again or is not a host of ours.
	lifeline *os.File
}

// reattach is what is kept to find a driver process again.
type reattach struct {
	Process process.Identity
	Address string
	// Sockets is the directory made for the process, to be removed after it.
	Sockets string
}

// Launch starts a driver process. It runs on after this one has ended; Kill ends it.
func Launch(ctx context.Context, opts Options) (*Client, error) {
	if opts.Timeout == 0 {
		opts.Timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	s, err := spawn(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("driver %q: %w", opts.Name, err)
	}
	c, err := connect(ctx, s.process, reattach{Process: s.process.Identity(), Address: s.address, Sockets: s.sockets})
	if err != nil {
		abandon(s.process)
		_ = s.lifeline.Close()
		_ = os.RemoveAll(s.sockets)
		return nil, fmt.Errorf("driver %q: %w", opts.Name, err)
	}
	c.lifeline = s.lifeline
	return c, nil
}

// Reattach finds the process again that Reattachment described. It returns an error that matches drivers.ErrUnavailable when that process is
// gone; what was left of it is then removed.
func Reattach(ctx context.Context, data []byte) (*Client, error) {
	var r reattach
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reattach data: %w", err)
	}
	if r.Process.PID <= 1 || !filepath.IsAbs(r.Address) {
		return nil, fmt.Errorf("reattach data: process %d at %q cannot be", r.Process.PID, r.Address)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	p, err := process.Open(r.Process)
	if err != nil {
		removeSockets(r)
		return nil, fmt.Errorf("%w: %w", drivers.ErrUnavailable, err)
	}
	c, err := connect(ctx, p, r)
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return c, nil
}

// removeSockets removes a dead process's directory, unless it does not look like one of ours.
func removeSockets(r reattach) {
	if r.Sockets != "" && r.Sockets == filepath.Dir(r.Address) {
		_ = os.Remove(r.Address)
		_ = os.Remove(r.Sockets)
	}
}

// connect dials the process through go-plugin and asks who it is.
func connect(ctx context.Context, p *process.Process, r reattach) (*Client, error) {
	watch, detach := context.WithCancel(context.Background())
	c := &Client{process: p, data: r, exited: make(chan struct{}), detach: detach}
	gc := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          goplugin.PluginSet{},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCDialOptions:  []grpc.DialOption{grpc.WithContextDialer(dialer(r))},
		Reattach: &goplugin.ReattachConfig{
			Protocol:        goplugin.ProtocolGRPC,
			ProtocolVersion: protocolVersion,
			Addr:            &net.UnixAddr{Net: "unix", Name: r.Address},
			ReattachFunc:    func() (runner.AttachedRunner, error) { return attached{watch: watch}, nil },
		},
	})
	protocol, err := gc.Client()
	if err != nil {
		detach()
		return nil, fmt.Errorf("connect to %s: %w", r.Address, err)
	}
	grpcClient, ok := protocol.(*goplugin.GRPCClient)
	if !ok {
		detach()
		return nil, errors.New("the plugin does not speak gRPC")
	}
	c.conn = grpcClient.Conn
	if c.remote, err = describe(ctx, c.conn); err != nil {
		detach()
		_ = c.conn.Close()
		return nil, err
	}
	c.joined.Add(1)
	go c.watch(watch)
	return c, nil
}

// dialer connects to the process's socket and makes sure that this very process answers: the path alone proves nothing.
func dialer(r reattach) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) {
		if now, err := process.Identify(r.Process.PID); err != nil || now != r.Process {
			return nil, fmt.Errorf("driver process %d: %w", r.Process.PID, process.ErrGone)
		}
		conn, err := new(net.Dialer).DialContext(ctx, "unix", r.Address)
		if err != nil {
			return nil, err
		}
		if err := checkPeer(conn, r.Process.PID); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

func checkPeer(conn net.Conn, pid int) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var inner error
	err = raw.Control(func(fd uintptr) { cred, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, inner); err != nil {
		return err
	}
	if int(cred.Pid) != pid {
		return fmt.Errorf("process %d answers on the socket of driver process %d: refused", cred.Pid, pid)
	}
	return nil
}

// watch closes exited when the process ends, and reaps it when it is a child.
func (c *Client) watch(ctx context.Context) {
	defer c.joined.Done()
	if c.process.Ended(ctx) != nil {
		return
	}
	reap, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_, _ = c.process.Wait(reap)
	removeSockets(c.data)
	close(c.exited)
}

// Exited is closed when the process has ended. All calls then fail with drivers.ErrUnavailable.
func (c *Client) Exited() <-chan struct{} { return c.exited }

// PID is the number of the process.
func (c *Client) PID() int { return c.data.Process.PID }

// Reattachment is what Reattach needs to find the process again.
func (c *Client) Reattachment() []byte {
	out, err := json.Marshal(c.data)
	if err != nil {
		return nil
	}
	return out
}

// Close lets go of the process, which runs on.
func (c *Client) Close() error {
	c.detach()
	c.joined.Wait()
	letGo(c.lifeline)
	return errors.Join(c.conn.Close(), c.process.Close())
}

// SetNode says what the next Configure tells the driver of its node. Call it before.
func (c *Client) SetNode(n Node) { c.node = n }

// Runs is whether the process runs the file at path, and not one that stood there before.
func (c *Client) Runs(path string) bool {
	running, err := os.Stat(fmt.Sprintf("/proc/%d/exe", c.PID()))
	if err != nil {
		return false
	}
	file, err := os.Stat(path)
	return err == nil && os.SameFile(running, file)
}

// shutdownPatience is how long a process is given to end when it has been asked to.
const shutdownPatience = 2 * time.Second

// shutdown asks the driver to let go of what it holds, and then its process to end.
func (c *Client) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	_, _ = c.driver.Shutdown(ctx, &driver.ShutdownRequest{}) // younger than most drivers
	_ = c.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	select {
	case <-c.exited:
	case <-ctx.Done():
	}
}

// Kill ends the process, kindly at first, and closes the client. Tasks of the process run on.
func (c *Client) Kill() error {
	c.shutdown()
	err := c.process.Signal(unix.SIGKILL)
	if errors.Is(err, process.ErrGone) {
		err = nil
	}
	select {
	case <-c.exited:
	case <-time.After(5 * time.Second):
		err = errors.Join(err, fmt.Errorf("driver process %d does not end", c.PID()))
	}
	return errors.Join(err, c.Close())
}

// attached tells go-plugin as little as it needs: the process is watched and ended by the Client.
type attached struct{ watch context.Context }

func (a attached) Wait(context.Context) error { <-a.watch.Done(); return nil }
func (a attached) Kill(context.Context) error { return nil }
func (a attached) ID() string                 { return "" }

func (a attached) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

func (a attached) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
