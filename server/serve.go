package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/events"
)

func newClusterID() string { return uuid.NewString() }

// Answers says whether the operation is answered by Handle.
func (s *Server) Answers(op *api.Endpoint) bool { return s.endpoints.Answers(op) }

// Handle runs an operation of the API's table; req points to its request type.
// What is not asked for as stale is answered by the leader, or after CatchUp: elsewhere the
// error is of kind api.ErrNoLeader, and Route says where to ask. With an error of
// that kind nothing was done, for certain.
func (s *Server) Handle(ctx context.Context, op *api.Endpoint, req any) (resp any, meta api.Meta, err error) {
	defer func(start time.Time) { s.measureRequest(op, req, start, meta, err) }(time.Now())
	q := options(req)
	if q.Stale && !q.Consistent {
		return s.handleStale(ctx, op, req)
	}
	if up, ok := ctx.Value(caughtUpKey{}).(caughtUp); ok {
		return s.handleCaughtUp(ctx, up, op, req, q)
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, api.Meta{}, err
	}
	if !s.leading() {
		if address, err := s.Route(ctx); err != nil || address != "" {
			return nil, api.Meta{KnownLeader: address != ""}, errors.Join(err, notLeader(address))
		}
	}
	if q.Consistent {
		if err := s.raft.VerifyLeader(ctx); err != nil {
			return nil, api.Meta{}, err
		}
	}
	ctx, mark := marked(ctx)
	resp, meta, err = s.endpoints.Handle(ctx, op, req)
	return resp, meta, certain(err, mark)
}

func notLeader(leader string) error {
	if leader == "" {
		return nil
	}
	return api.Errorf(api.ErrNoLeader, "this server does not lead; the one at %s does", leader)
}

// options gives the options of a read; those of anything else are zero.
func options(req any) api.QueryOptions {
	if r, ok := req.(interface{ Options() *api.QueryOptions }); ok {
		return *r.Options()
	}
	return api.QueryOptions{}
}

// handleStale answers from what this server has, and says how old that may be.
// One that has only just started waits for a moment first.
func (s *Server) handleStale(ctx context.Context, op *api.Endpoint, req any) (any, api.Meta, error) {
	if err := s.awaitReady(ctx); err != nil && !errors.Is(err, api.ErrNoLeader) {
		return nil, api.Meta{}, err
	}
	resp, meta, err := s.endpoints.Handle(ctx, op, req)
	meta.KnownLeader = s.Leader() != ""
	if heard := s.raft.LastContact(); !s.raft.Leader() && !heard.IsZero() {
		meta.LastContact = api.Duration(time.Since(heard))
	}
	return resp, meta, err
}

func (s *Server) awaitReady(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	default:
	}
	timer := time.NewTimer(leaderWait)
	defer timer.Stop()
	select {
	case <-s.ready:
		return nil
	case <-timer.C:
		return api.Errorf(api.ErrNoLeader, "No cluster leader")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leader gives the address of the leader; empty when there is none.
func (s *Server) Leader() string {
	address, _ := s.raft.LeaderAddress()
	return address
}

// Leads says whether this server is the leader.
func (s *Server) Leads() bool { return s.raft.Leader() }

// Peers gives the addresses of the servers.
func (s *Server) Peers() []string { return s.addresses(func(*api.RaftServer) bool { return true }) }

func (s *Server) addresses(of func(*api.RaftServer) bool) []string {
	out := []string{}
	c, err := s.raft.Configuration()
	if err != nil {
		return out
	}
	for _, x := range c.Servers {
		if of(x) {
			out = append(out, x.Address)
		}
	}
	return out
}

// Raft is this server's part in the cluster, for who manages its members.
func (s *Server) Raft() *consensus.Raft { return s.raft }

// RaftConfiguration lists the servers as Raft knows them.
func (s *Server) RaftConfiguration() (api.RaftConfiguration, error) {
	c, err := s.raft.Configuration()
	if err != nil {
		return api.RaftConfiguration{}, err
	}
	names := map[string]string{s.cfg.ID: s.memberName()}
	for _, m := range s.known() {
		names[m.ID] = m.Name
	}
	for _, x := range c.Servers {
		x.Node = cmp.Or(names[x.ID], x.Node)
	}
	return *c, nil
}

func (s *Server) memberName() string { return s.cfg.Name + "." + s.cfg.Region }

// Members lists the servers as people know them.
func (s *Server) Members() api.ServerMembers {
	return api.ServerMembers{
		ServerName: s.cfg.Name, ServerRegion: s.cfg.Region, ServerDC: s.cfg.Datacenter,
		Members: s.members(),
	}
}

func (s *Server) members() []*api.AgentMember {
	if s.gossip != nil {
		return s.gossip.Members()
	}
	return []*api.AgentMember{s.Member()}
}

// Member describes this server.
func (s *Server) Member() *api.AgentMember {
	if s.gossip != nil {
		return s.gossip.Self()
	}
	host, portText, _ := net.SplitHostPort(s.cfg.Address)
	port, _ := strconv.ParseUint(portText, 10, 16)
	return &api.AgentMember{
		Name: s.memberName(), Addr: host, Port: uint16(port), Status: "alive",
		Tags: s.protocolTags(map[string]string{
			"role": "nomad", "region": s.cfg.Region, "dc": s.cfg.Datacenter, "id": s.cfg.ID,
			"build": s.cfg.Version, "rpc_addr": host, "port": portText, "bootstrap": "1",
			"vsn": "1", "raft_vsn": "3",
		}),
		ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4,
	}
}

// Events opens an event stream; next gives the events of one index at a time,
// those of them that the request's token may see at that time.
func (s *Server) Events(ctx context.Context, req *api.EventStreamRequest) (next func(context.Context) (*api.Events, error), err error) {
	f, err := eventFilter(req)
	if err != nil {
		return nil, err
	}
	if _, err := s.Authorize(ctx, api.EventStream.Endpoint, req); err != nil {
		return nil, err
	}
	stream := s.events.Subscribe(req.Index, f)
	if s.tokens == nil {
		return stream.Next, nil
	}
	return s.permitted(auth.SecretOf(ctx), stream), nil
}

// eventFilter reads what a subscriber wants.
func eventFilter(req *api.EventStreamRequest) (events.Filter, error) {
	f := events.Filter{Topics: map[string][]string{}, Namespace: req.Namespace}
	if f.Namespace == "" {
		f.Namespace = api.DefaultNamespace
	}
	for _, t := range req.Topics {
		topic, key, found := strings.Cut(t, ":")
		if topic == "" {
			return f, api.Errorf(api.ErrInvalid, "Invalid key value pair for topic: %q; write \"Topic\" or \"Topic:key\"", t)
		}
		if !found || key == "" {
			key = api.TopicAll
		}
		f.Topics[topic] = append(f.Topics[topic], key)
	}
	if len(f.Topics) == 0 {
		f.Topics[api.TopicAll] = []string{api.TopicAll}
	}
	return f, nil
}

// Locate gives the node of an allocation.
func (s *Server) Locate(allocID string) (nodeID string, ok bool) {
	a, ok := s.store.View().Allocation(allocID)
	if !ok {
		return "", false
	}
	return a.NodeID, true
}

// Node gives what is known of a node.
func (s *Server) Node(id string) (*api.Node, bool) { return s.store.View().Node(id) }

// SaveSnapshot writes the whole state: the leader's as it is now, or, stale, this
// server's as far as it is.
func (s *Server) SaveSnapshot(ctx context.Context, w io.Writer, stale bool) error {
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	_, err := s.raft.Save(ctx, w, stale)
	return err
}

// RestoreSnapshot replaces the whole state, or leaves it as it is. The leader's
// loops start again from what was restored, and its authority signs where that
// of the snapshot cannot. One of another cluster is refused
// unless foreign says that it is meant.
func (s *Server) RestoreSnapshot(ctx context.Context, r io.Reader, foreign bool) error {
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	m, err := s.raft.Restore(ctx, r, foreign)
	if err != nil {
		return err
	}
	s.cfg.Logger.Warn("the state was replaced by that of a snapshot", "snapshot", m.ID, "index", m.Index, "taken", m.Time)
	if err := s.trust.Restored(ctx); err != nil {
		return fmt.Errorf("the snapshot is restored, but nobody can sign certificates: %w", err)
	}
	return nil
}

// Healthy says whether there is a leader.
func (s *Server) Healthy() api.HealthState {
	if s.Leader() == "" {
		return api.HealthState{Message: "No cluster leader"}
	}
	return api.HealthState{Ok: true, Message: "ok"}
}

// Stats tells about the server, for /v1/agent/self.
func (s *Server) Stats() map[string]map[string]string {
	b := s.broker.Stats()
	return map[string]map[string]string{
		"nomad": {
			"server": "true", "leader": strconv.FormatBool(s.raft.Leader()), "leader_addr": s.Leader(),
			"bootstrap": strconv.FormatBool(s.cfg.Bootstrap), "known_regions": "1",
			"protocol": strconv.Itoa(s.store.View().Protocol()), "protocol_max": strconv.Itoa(s.protocolMax()),
		},
		"raft": s.raft.Stats(),
		"broker": {
			"ready": strconv.Itoa(b.Ready), "unacked": strconv.Itoa(b.Unacked), "pending": strconv.Itoa(b.Pending),
			"waiting": strconv.Itoa(b.Waiting), "blocked": strconv.Itoa(b.Blocked),
		},
	}
}
