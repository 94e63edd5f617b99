package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

const (
	probeWait = 3 * time.Second
	maxPeers  = 50 // servers that are asked
	maxClocks = 10 // nodes whose clocks are looked at
	smallSkew = time.Second
	largeSkew = 30 * time.Second
)

// agent looks at the running agent and at the cluster around it.
func (x *examination) agent(ctx context.Context) {
	if x.Agent == nil {
		switch {
		case x.Refused == nil:
		case errors.Is(x.Refused, api.ErrDenied):
			x.report.warn("agent.answers", "give a token with agent:read and node:read, -token or SERAI_TOKEN", "the agent at %s does not tell us about itself: %v", x.Address, x.Refused)
		case x.Config == nil:
			x.report.fail("agent.answers", "start the agent, name its address (-address), or its configuration (-config)", "%v", x.Refused)
		default:
			x.report.ok("agent.answers", "no agent answers at %s; its configuration and this machine were looked at", x.Address)
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	x.health(ctx)
	x.skew(ctx)
	x.leader(ctx)
	x.servers(ctx)
	x.nodes(ctx)
}

func (x *examination) health(ctx context.Context) {
	h, _, err := api.Call(ctx, x.Agent, api.AgentHealth, &api.AgentHealthRequest{})
	if err != nil {
		x.report.fail("agent.health", "look into the agent's log, \"serai monitor\"", "the agent says that it is not well: %v", err)
		return
	}
	for what, s := range map[string]*api.HealthState{"server": h.Server, "client": h.Client} {
		if s != nil && !s.Ok {
			x.report.fail("agent.health", "look into the agent's log, \"serai monitor\"", "the agent's %s is not well: %s", what, s.Message)
		}
	}
	x.report.ok("agent.health", "the agent answers at %s", x.Address)
}

// skew compares the clock of the agent's machine with ours.
func (x *examination) skew(ctx context.Context) {
	before := x.Host.Now()
	r, err := x.Agent.Do(ctx, api.AgentHealth.Endpoint, &api.AgentHealthRequest{})
	if err != nil {
		return
	}
	r.Body.Close()
	x.compare("the agent at "+x.Address, r.Header, before, x.Host.Now())
}

// compare judges a Date header, which has whole seconds.
func (x *examination) compare(who string, h http.Header, before, after time.Time) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	var off time.Duration
	switch {
	case at.Add(time.Second).Before(before):
		off = before.Sub(at.Add(time.Second))
	case at.After(after):
		off = at.Sub(after)
	}
	const mend = "run chrony or systemd-timesyncd on both machines"
	switch {
	case off > largeSkew:
		x.report.fail("clock.skew", mend, "the clock of %s is %s off from this one: certificates, tokens and schedules go wrong", who, off.Round(time.Second))
	case off > smallSkew:
		x.report.warn("clock.skew", mend, "the clock of %s is %s off from this one", who, off.Round(time.Second))
	default:
		x.report.ok("clock.skew", "the clock of %s agrees with this one", who)
	}
}

func (x *examination) leader(ctx context.Context) {
	leader, _, err := api.Call(ctx, x.Agent, api.StatusLeader, &api.ListRequest{})
	if err != nil || leader == "" {
		x.report.fail("cluster.leader", "see that most servers run and reach each other; after the loss of most of them, docs/operate/recover.md", "the cluster has no leader: nothing can be changed")
		return
	}
	x.report.ok("cluster.leader", "the cluster has a leader")
}

// servers looks at the members: whether they are there, answer and fit together.
func (x *examination) servers(ctx context.Context) {
	m, _, err := api.Call(ctx, x.Agent, api.AgentMembers, &api.ListRequest{})
	if err != nil {
		x.report.warn("cluster.servers", "ask with a token that has node:read", "the servers cannot be listed: %v", err)
		return
	}
	builds := map[string][]string{}
	alive := 0
	for i, s := range m.Members {
		if s.Status == "left" || i >= maxPeers {
			continue
		}
		builds[s.Tags["build"]] = append(builds[s.Tags["build"]], s.Name)
		if s.Status != "alive" {
			x.report.fail("cluster.servers", "start it again, or take it out with \"serai server force-leave "+s.Name+"\"", "server %s is %s", s.Name, s.Status)
			continue
		}
		alive++
		x.reach(ctx, s)
	}
	x.report.ok("cluster.servers", "%d servers are alive", alive)
	if alive > 1 && alive%2 == 0 {
		x.report.warn("cluster.odd", "run three or five servers", "there are %d servers: as many can be lost as with one fewer", alive)
	}
	x.versions("servers", builds)
}

// reach looks whether a server's port for agents can be connected to.
func (x *examination) reach(ctx context.Context, s *api.AgentMember) {
	port := s.Tags["port"]
	if port == "" {
		return
	}
	host := s.Tags["rpc_addr"]
	if host == "" {
		host = s.Addr
	}
	address := net.JoinHostPort(host, port)
	if n, err := strconv.Atoi(port); err != nil || n <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		x.report.fail("cluster.reachable", "let port "+port+" through the firewall between the agents, and see that advertise { rpc } is an address that they reach", "server %s cannot be reached at %s: %v", s.Name, address, err)
		return
	}
	conn.Close()
	x.report.ok("cluster.reachable", "server %s is reached at %s", s.Name, address)
}

func (x *examination) nodes(ctx context.Context) {
	list, _, err := api.Call(ctx, x.Agent, api.NodesList, &api.NodesListRequest{})
	if err != nil {
		return // the token may not see them
	}
	down := 0
	builds := map[string][]string{}
	for _, n := range list {
		if n.Status == api.NodeStatusDown || n.Status == api.NodeStatusDisconnected {
			down++
		}
		if v := n.Attributes["serai.version"]; v != "" {
			builds[v] = append(builds[v], n.Name)
		}
	}
	if down > 0 {
		x.report.warn("cluster.nodes", "start their agents again, or \"serai node purge\" those that will not come back", "%d of %d nodes are down", down, len(list))
	} else {
		x.report.ok("cluster.nodes", "none of %d nodes is down", len(list))
	}
	x.versions("nodes", builds)
	x.nodeClocks(ctx, list)
}

// nodeClocks compares the clocks of nodes with ours. An address on loopback is
// this machine's, whosever it is said to be.
func (x *examination) nodeClocks(ctx context.Context, list []*api.NodeListStub) {
	scheme, _, _ := strings.Cut(x.Address, "://")
	asked := 0
	for _, stub := range list {
		if stub.Status != api.NodeStatusReady || asked >= maxClocks || x.Dial == nil {
			continue
		}
		n, _, err := api.Call(ctx, x.Agent, api.NodeRead, &api.IDRequest{ID: stub.ID})
		if err != nil {
			return
		}
		host, _, err := net.SplitHostPort(n.HTTPAddr)
		if err != nil || loopback(host) {
			continue
		}
		asked++
		c, err := x.Dial(scheme + "://" + n.HTTPAddr)
		if err != nil {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, probeWait)
		before := x.Host.Now()
		r, err := c.Do(ask, api.AgentHealth.Endpoint, &api.AgentHealthRequest{})
		cancel()
		if err != nil {
			x.report.warn("cluster.reachable", "let its HTTP port through the firewall, or see that advertise { http } is an address that others reach and that its certificate names", "node %s cannot be asked at %s, its logs and files are reached through the servers alone: %v", n.Name, n.HTTPAddr, err)
			continue
		}
		r.Body.Close()
		x.compare("node "+n.Name, r.Header, before, x.Host.Now())
	}
}

func (x *examination) versions(what string, builds map[string][]string) {
	delete(builds, "")
	if len(builds) < 2 {
		return
	}
	var parts []string
	for b, names := range builds {
		slices.Sort(names)
		parts = append(parts, fmt.Sprintf("%s (%s)", b, strings.Join(names[:min(3, len(names))], ", ")))
	}
	slices.Sort(parts)
	x.report.warn("cluster.versions", "bring the upgrade to its end: docs/operate/upgrade.md", "%s run different builds: %s", what, strings.Join(parts, "; "))
}
