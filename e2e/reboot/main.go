package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

const (
	// limit is how long all may take.
	limit = 30 * time.Minute
	// patience is how long a state may take to come about, in a machine that is emulated.
	patience = 4 * time.Minute
)

func main() {
	binary := flag.String("binary", "bin/serai", "the program")
	rounds := flag.Int("rounds", 3, "how often the power is cut")
	verbose := flag.Bool("v", false, "show the machine's console")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was given up after %v", limit))
	defer cancel()
	if err := do(ctx, *binary, *rounds, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "reboot:", err)
		os.Exit(1)
	}
}

func do(ctx context.Context, binary string, rounds int, verbose bool) (err error) {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return errors.New("QEMU is not here: run make test-deps")
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "serai-reboot-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := serve(ctx, dir, binary)
	if server != nil {
		defer func() { err = errors.Join(err, server.Destroy()) }()
	}
	if err != nil {
		return err
	}
	m, err := newMachine(dir, binary, server)
	if err != nil {
		return err
	}
	defer m.cut()
	m.verbose = verbose
	c := &check{server: server, machine: m}
	if err := c.all(ctx, rounds); err != nil {
		return fmt.Errorf("%w\nthe end of the machine's console:\n%s", err, m.tail())
	}
	fmt.Printf("the power was cut %d times: every task was there once afterwards, and nothing else\n", rounds)
	return nil
}

// certificates makes an authority and the certificates of a server and a client, as the guide says.
func certificates(ctx context.Context, dir, binary string) error {
	for _, args := range [][]string{{"ca", "create"}, {"cert", "create", "-server"}, {"cert", "create", "-client"}} {
		cmd := exec.CommandContext(ctx, binary, append([]string{"tls"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("tls %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// serve starts the server that the machine reaches by its gateway.
func serve(ctx context.Context, dir, binary string) (*rig.Agent, error) {
	if err := certificates(ctx, dir, binary); err != nil {
		return nil, err
	}
	server, err := rig.New(rig.Options{Binary: binary, NoClient: true, Config: fmt.Sprintf(`
server {
  heartbeat_grace  = "5s"
  min_heartbeat_ttl = "5s"
}
limits {
  http_allowed_hosts = ["10.0.2.2"]
}
tls {
  rpc       = true
  ca_file   = "%[1]s/nomad-agent-ca.pem"
  cert_file = "%[1]s/global-server-nomad.pem"
  key_file  = "%[1]s/global-server-nomad-key.pem"
}
`, dir)})
	if err != nil {
		return nil, err
	}
	advertise := filepath.Join(dir, "advertise.hcl") // the machine's gateway is this machine's loopback
	if err := os.WriteFile(advertise, fmt.Appendf(nil, "advertise {\n  rpc = \"10.0.2.2:%d\"\n}\n", server.Ports.RPC), 0o600); err != nil {
		return server, err
	}
	server.Swap(binary, "-config", advertise)
	if err := server.Launch(); err != nil {
		return server, err
	}
	return server, server.Ready(ctx)
}
