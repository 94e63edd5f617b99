package rig

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// Cluster is a server and clients in agents of their own.
type Cluster struct {
	Server  *Agent
	Clients []*Agent
}

// StartCluster starts a server with its options and n clients with theirs, and
// waits until all are ready. What started is in the cluster also after an error.
func StartCluster(ctx context.Context, server Options, n int, client Options) (*Cluster, error) {
	c := &Cluster{}
	server.NoClient = true
	var err error
	if c.Server, err = Start(ctx, server); err != nil {
		return c, fmt.Errorf("server: %w", err)
	}
	client.Servers = []string{fmt.Sprintf("127.0.0.1:%d", c.Server.Ports.RPC)}
	for range n {
		a, err := New(client)
		if err != nil {
			return c, err
		}
		c.Clients = append(c.Clients, a)
		if err := a.Launch(); err != nil {
			return c, err
		}
	}
	for _, a := range c.Clients {
		if err := a.Ready(ctx); err != nil {
			return c, fmt.Errorf("client %s: %w", a.Mark, err)
		}
	}
	return c, nil
}

// Agents lists the clients and then the server.
func (c *Cluster) Agents() []*Agent {
	agents := append([]*Agent{}, c.Clients...)
	if c.Server != nil {
		agents = append(agents, c.Server)
	}
	return agents
}

// Stop ends the agents in order, those that still run, and tells who did not
// end well.
func (c *Cluster) Stop() error {
	var problems error
	for _, a := range c.Agents() {
		if a.cmd == nil || closed(a.Done()) {
			continue
		}
		if code, err := a.Stop(syscall.SIGTERM); err != nil || code != 0 {
			problems = errors.Join(problems, fmt.Errorf("%s: exit code %d, %v", a.Mark, code, err))
		}
	}
	return problems
}

// Destroy removes all that is left of the agents.
func (c *Cluster) Destroy() error {
	var problems error
	for _, a := range c.Agents() {
		problems = errors.Join(problems, a.Destroy())
	}
	return problems
}
