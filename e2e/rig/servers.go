package rig

import (
	"context"
	"fmt"
)

// StartServers starts servers that make a cluster and find each other by gossip,
// and waits until each knows a leader. What started is given also after an error.
func StartServers(ctx context.Context, opts Options, n int) ([]*Agent, error) {
	opts.NoClient = true
	var all []*Agent
	var join []string
	for range n {
		a, err := New(opts)
		if err != nil {
			return all, err
		}
		all, join = append(all, a), append(join, fmt.Sprintf("127.0.0.1:%d", a.Ports.Serf))
	}
	for _, a := range all {
		a.opts.Config += fmt.Sprintf(`
server {
  bootstrap_expect = %d
  server_join {
    retry_join     = [%s]
    retry_interval = "1s"
  }
}`, n, quoted(join))
		if err := a.Launch(); err != nil {
			return all, err
		}
	}
	for _, a := range all {
		if err := a.Ready(ctx); err != nil {
			return all, fmt.Errorf("server %s: %w", a.Mark, err)
		}
	}
	return all, nil
}

// RPC is where other agents reach this one.
func (a *Agent) RPC() string { return fmt.Sprintf("127.0.0.1:%d", a.Ports.RPC) }
