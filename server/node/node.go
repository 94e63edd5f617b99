package node

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/keyring"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

// Log has commands applied.
type Log interface {
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Config is what New needs.
type Config struct {
	Store  *state.Store
	Log    Log
	Logger *slog.Logger
	// Ready is closed when the server can answer: calls wait for it.
	Ready <-chan struct{}
	// Beat notes that a node lives and gives its next heartbeat's time.
	Beat func(nodeID string) time.Duration
	// Cluster is where this server stands among the others; nil: it is alone.
	Cluster Cluster
	// Tokens finds out who asks a client agent; nil where access control is off.
	Tokens *auth.Resolver
	// Identities finds out which task a signed identity is of, also where access
	// control is off; Ring signs them.
	Identities *auth.Resolver
	Ring       *keyring.Ring
}

// Service answers client agents. Its methods are those of client.Server.
type Service struct {
	Config
	hub     *hub
	updater *updater
	beats   *beats
	passer  *passer
}

// New makes the service.
func New(c Config) *Service {
	if c.Cluster == nil {
		c.Cluster = alone{}
	}
	if c.Ring == nil {
		c.Ring = keyring.NewRing("")
	}
	s := &Service{Config: c, hub: newHub(c.Store), updater: newUpdater(c.Store, c.Log)}
	s.beats = newBeats(s.passBeats)
	s.passer = newPasser(s.passUpdates)
	return s
}

// Run hands out changes, applies updates, and passes them and heartbeats on,
// until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var others sync.WaitGroup
	for _, run := range []func(context.Context) error{s.hub.run, s.beats.run, s.passer.run} {
		others.Go(func() { _ = run(ctx) }) // all of them end with ctx
	}
	err := s.updater.run(ctx)
	others.Wait()
	return err
}

func (s *Service) await(ctx context.Context) error {
	select {
	case <-s.Ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Register makes a node known, or changes what is known of it.
func (s *Service) Register(ctx context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	n := req.Node
	if n != nil && !named(ctx, n.Name) {
		return nil, api.Errorf(api.ErrDenied, "Permission denied: register node %s: it is called %q, and its certificate is for another agent", n.ID, n.Name)
	}
	if peer, err := s.leader(ctx); err != nil {
		return nil, err
	} else if peer != nil {
		return s.passRegister(ctx, peer, req)
	}
	switch {
	case n == nil || !nodeID.MatchString(n.ID):
		return nil, api.Errorf(api.ErrInvalid, "register node: the node's ID must be a UUID")
	case n.SecretID == "":
		return nil, api.Errorf(api.ErrInvalid, "register node %s: no secret given", n.ID)
	case n.NodePool == api.NodePoolAll:
		return nil, api.Errorf(api.ErrInvalid, "register node %s: node pool %q stands for all pools; name another one", n.ID, n.NodePool)
	}
	if err := sane(n); err != nil {
		return nil, err
	}
	n = own(n)
	view := s.Store.View()
	old, known := view.Node(n.ID)
	if !known {
		old = nil
	} else {
		if err := sameSecret(old, n.SecretID); err != nil {
			return nil, err
		}
	}
	return s.register(ctx, n, view, old)
}

// register has the log take up a node; old is what is known of it, nil: nothing.
func (s *Service) register(ctx context.Context, n *api.Node, view *state.View, old *api.Node) (*api.NodeRegisterResponse, error) {
	known := old != nil
	now := time.Now()
	c := &fsm.NodeRegister{Node: n, Time: now.UnixNano()}
	moved := !known || old.Status != n.Status || old.Datacenter != n.Datacenter || old.NodePool != n.NodePool
	if n.Status == api.NodeStatusReady && (moved || old.ComputedClass != n.ComputedClass) {
		next := *n
		if known {
			next.SchedulingEligibility, next.DrainStrategy = old.SchedulingEligibility, old.DrainStrategy
		} else if next.SchedulingEligibility == "" {
			next.SchedulingEligibility = api.NodeEligible
		}
		switch {
		case moved:
			c.Evals = trigger.ForNode(view, &next, api.TriggerNodeUpdate, now)
		case next.Ready():
			c.Evals = trigger.ForClass(view, &next, api.TriggerNodeUpdate, now)
		}
	}
	_, index, err := s.Log.Apply(ctx, c)
	if err != nil {
		return nil, err
	}
	return &api.NodeRegisterResponse{HeartbeatTTL: api.Duration(s.Beat(n.ID)), Index: index}, nil
}

// named says whether the caller's certificate lets it be a node of that name:
// one that names an agent is for that one alone. Servers pass on what they have
// looked at themselves.
func named(ctx context.Context, name string) bool {
	p, ok := tlsx.PeerFrom(ctx)
	role, _ := p.RoleAnywhere()
	return !ok || p.Node == "" || p.Node == name || role == tlsx.RoleServer
}

// itself refuses a call for a node whose certificate is that of another: a secret
// alone is not enough where agents have names.
func (s *Service) itself(ctx context.Context, what, nodeID string) error {
	if n, ok := s.Store.View().Node(nodeID); ok && !named(ctx, n.Name) {
		return api.Errorf(api.ErrDenied, "Permission denied: %s of node %s: it is called %q, and the certificate of who asks is for another agent", what, n.ID, n.Name)
	}
	return nil
}

// Heartbeat notes that a node lives, and takes over its status where it has
// changed.
func (s *Service) Heartbeat(ctx context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	if err := s.itself(ctx, "heartbeat", req.NodeID); err != nil {
		return nil, err
	}
	if peer, err := s.leader(ctx); err != nil {
		return nil, err
	} else if peer != nil {
		return s.passBeat(ctx, req)
	}
	return s.heartbeat(ctx, req)
}

// heartbeat notes one on the leader.
func (s *Service) heartbeat(ctx context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	view := s.Store.View()
	n, err := known(view, req.NodeID, req.SecretID)
	if err != nil {
		return nil, err
	}
	if req.Status != "" && req.Status != api.NodeStatusReady && req.Status != api.NodeStatusInit {
		return nil, api.Errorf(api.ErrInvalid, "heartbeat of node %s: a node says that it is %q or %q, not %q", n.ID, api.NodeStatusReady, api.NodeStatusInit, req.Status)
	}
	resp := &api.NodeRegisterResponse{Index: view.Index()}
	if req.Status != "" && req.Status != n.Status {
		now := time.Now()
		c := &fsm.NodeStatus{Time: now.UnixNano(), Updates: []fsm.NodeStatusUpdate{{NodeID: n.ID, Status: req.Status}}}
		next := *n
		next.Status = req.Status
		if text := heardAgain[n.Status]; text != "" {
			c.Updates[0].Event = &api.NodeEvent{Message: text, Subsystem: "Cluster", Timestamp: now.UTC()}
		}
		c.Evals = trigger.ForNode(view, &next, api.TriggerNodeUpdate, now)
		if _, resp.Index, err = s.Log.Apply(ctx, c); err != nil {
			return nil, err
		}
	}
	resp.HeartbeatTTL = api.Duration(s.Beat(n.ID))
	return resp, nil
}

// heardAgain describes the first heartbeat of a node that was given up.
var heardAgain = map[string]string{
	api.NodeStatusDown:         "Node reregistered by heartbeat",
	api.NodeStatusDisconnected: "Node reconnected by heartbeat",
}

// Sync sends what should run on a node: all of it first, or what is different
// from what it has, then what changes, until ctx ends or send fails.
func (s *Service) Sync(ctx context.Context, req *api.NodeSyncRequest, send func(*api.NodeSync) error) error {
	if err := s.await(ctx); err != nil {
		return err
	}
	if err := s.caughtUp(ctx, req); err != nil {
		return err
	}
	if err := s.itself(ctx, "what runs", req.NodeID); err != nil {
		return err
	}
	if _, err := known(s.Store.View(), req.NodeID, req.SecretID); err != nil {
		return err
	}
	st := s.hub.open(req.NodeID, req.Have)
	defer s.hub.close(req.NodeID, st)
	lost := s.Cluster.Lost()
	var next time.Time // the earliest for the next message
	for {
		if m := st.take(s.hub, req.NodeID); m != nil {
			if err := send(m); err != nil {
				return err
			}
			next = time.Now().Add(leastDistance)
		}
		select {
		case <-st.wake:
			if !st.due() {
				continue
			}
		case <-lost:
			return api.Errorf(api.ErrUnavailable, "this server has not heard from the leader for a while: what it knows may be old; ask another one")
		case <-ctx.Done():
			return ctx.Err()
		}
		now := time.Now()
		if d := max(next.Sub(now), s.hub.pace.turn(now)); d > 0 && !wait(ctx, time.After(d)) {
			return ctx.Err()
		}
	}
}

// wait waits for a channel; it says whether ctx goes on.
func wait[T any](ctx context.Context, ch <-chan T) bool {
	select {
	case <-ch:
		return true
	case <-ctx.Done():
		return false
	}
}

// clientStatuses are what a client can say of an allocation; that it is lost or
// unknown is for the servers to find.
var clientStatuses = []string{api.AllocClientPending, api.AllocClientRunning, api.AllocClientComplete, api.AllocClientFailed}

// UpdateAllocs takes over what a client says of its allocations. It returns
// when that is durable.
func (s *Service) UpdateAllocs(ctx context.Context, req *api.AllocUpdateRequest) error {
	if err := s.await(ctx); err != nil {
		return err
	}
	if err := s.itself(ctx, "update", req.NodeID); err != nil {
		return err
	}
	if peer, err := s.leader(ctx); err != nil {
		return err
	} else if peer != nil {
		return s.passer.update(ctx, req)
	}
	if err := allowed(s.Store.View(), req); err != nil {
		return err
	}
	return s.updater.update(ctx, req.Allocs)
}

// allowed refuses what a node may not say.
func allowed(view *state.View, req *api.AllocUpdateRequest) error {
	if _, err := known(view, req.NodeID, req.SecretID); err != nil {
		return err
	}
	for _, a := range req.Allocs {
		if !slices.Contains(clientStatuses, a.ClientStatus) {
			return api.Errorf(api.ErrInvalid, "allocation %s: its client says that it is %.40q; it is one of %s", a.ID, a.ClientStatus, strings.Join(clientStatuses, ", "))
		}
		if old, ok := view.Allocation(a.ID); ok && old.NodeID != req.NodeID {
			return api.Errorf(api.ErrDenied, "allocation %s is not on node %s", a.ID, req.NodeID)
		}
	}
	return nil
}

func known(v *state.View, nodeID string, secret api.Sensitive) (*api.Node, error) {
	n, ok := v.Node(nodeID)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "node not found")
	}
	return n, sameSecret(n, secret)
}

func sameSecret(n *api.Node, secret api.Sensitive) error {
	if subtle.ConstantTimeCompare([]byte(n.SecretID.Reveal()), []byte(secret.Reveal())) == 1 {
		return nil
	}
	return api.Errorf(api.ErrDenied, "node %s: the secret is not the one that it was registered with", n.ID)
}
