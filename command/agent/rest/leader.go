package rest

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
	"github.com/seraihq/serai/internal/tlsx"
)

// ofLeader are the operations of an agent that are about the whole cluster.
var ofLeader = []*api.Endpoint{
	api.SnapshotSave.Endpoint, api.SnapshotRestore.Endpoint, api.RaftConfigRead.Endpoint,
	api.RaftPeerRemove.Endpoint, api.RaftTransfer.Endpoint, api.RaftVerify.Endpoint, api.NodeBrakeRead.Endpoint, api.NodeBrakeRelease.Endpoint,
	api.AutopilotHealthRead.Endpoint,
}

// forStale are those of them, beside the reads, that any server answers when
// what it says may be old.
var forStale = []*api.Endpoint{api.SnapshotSave.Endpoint, api.RaftConfigRead.Endpoint}

// needsLeader says whether the leader alone answers a request.
func needsLeader(r *http.Request, op *api.Endpoint) bool {
	switch op.Kind {
	case api.Write:
		return true
	case api.Read, api.Lookup:
		return !stale(r)
	}
	return slices.Contains(ofLeader, op) && !(slices.Contains(forStale, op) && stale(r))
}

// stale says whether an answer may be old: ?stale, or stale=true, and not
// ?consistent.
func stale(r *http.Request) bool {
	q := r.URL.Query()
	return on(q, "stale") && !on(q, "consistent")
}

func on(q url.Values, name string) bool {
	return q.Has(name) && q.Get(name) != "false" && q.Get(name) != "0"
}

// catchUp has this server get as far as the leader, where a read is for the leader
// and all that is needed for the answer is in the state: then it is answered here.
func (a *API) catchUp(r *http.Request, op *api.Endpoint) (_ *http.Request, here bool, err error) {
	if a.Peer == nil || a.Server == nil || op.Kind != api.Read || a.checkedHere(op) || stale(r) {
		return r, false, nil
	}
	ctx, here, err := a.Server.CatchUp(r.Context(), on(r.URL.Query(), "consistent"))
	if !here {
		return r, false, err
	}
	return r.WithContext(ctx), true, nil
}

// forwardToLeader passes a request on that this server may not answer.
func (a *API) forwardToLeader(w http.ResponseWriter, r *http.Request, op *api.Endpoint) (done bool, err error) {
	if a.Peer == nil || a.values[op] == nil && a.streams[op] == nil && !a.Server.Answers(op) || !needsLeader(r, op) {
		return false, nil
	}
	away, err := a.elsewhere(r)
	if err != nil || !away {
		return false, err
	}
	a.toLeader(w, r)
	return true, nil
}

// elsewhere says whether another server leads.
func (a *API) elsewhere(r *http.Request) (bool, error) {
	if a.Peer == nil {
		return false, nil
	}
	address, err := a.Server.Route(r.Context())
	if err != nil || address == "" {
		return false, err
	}
	if hops(r) >= maxHops {
		return false, api.Errorf(api.ErrNoLeader, "the servers do not agree who leads; try again in a moment")
	}
	return true, nil
}

// leaderKnows says whether to ask the leader where an allocation or a node is: this
// server does not know it, and may be behind.
func (a *API) leaderKnows(r *http.Request, alloc, node string) (bool, error) {
	known := false
	if alloc != "" {
		_, known = a.Server.Locate(alloc)
	} else {
		_, known = a.Server.Node(node)
	}
	if known {
		return false, nil
	}
	return a.elsewhere(r)
}

func (a *API) toLeader(w http.ResponseWriter, r *http.Request) { a.proxies.leader.ServeHTTP(w, r) }

const (
	// leaderPatience is how long a request waits for a leader that can be reached.
	leaderPatience = 5 * time.Second
	// leaderRetry is how soon it is tried again.
	leaderRetry = 50 * time.Millisecond
)

// leaderTransport sends a request to the server that leads. A leader that is
// gone is known as such only after a moment: what it cannot have seen is sent
// again, and so is what only reads, or may be done twice.
type leaderTransport struct{ *API }

// RoundTrip sends a request to the leader, whoever that is.
func (t leaderTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	deadline := time.Now().Add(leaderPatience)
	for {
		address, err := t.Server.Route(r.Context())
		if err != nil {
			return nil, err
		}
		resp, err := t.send(again(r), address)
		if err == nil || !repeatable(r, err) || time.Now().After(deadline) {
			return resp, err
		}
		if !pause.For(r.Context(), leaderRetry) {
			return nil, r.Context().Err()
		}
	}
}

func (t leaderTransport) send(r *http.Request, address string) (*http.Response, error) {
	if address == "" { // this server leads by now: what was begun goes on as if it had come from another
		address = t.Server.Address()
	}
	return t.Peer(address).RoundTrip(r)
}

// repeatable says whether a request that failed can be sent once more without
// being done twice.
func repeatable(r *http.Request, err error) bool {
	if r.Context().Err() != nil {
		return false
	}
	if r.Method == http.MethodGet && r.ContentLength == 0 || harmless(r) {
		return true
	}
	return errors.Is(err, tlsx.ErrUnreached)
}

// lasting answers a request over a change of the leader: one with which nothing
// was done when this server ceased to lead, or that may be done twice, goes to the
// next leader.
func (a *API) lasting(w http.ResponseWriter, r *http.Request, match api.Match) error {
	op := match.Endpoint
	if a.Peer == nil || a.Server == nil || op.Kind != api.Write && op.Kind != api.Read && op.Kind != api.Lookup || !needsLeader(r, op) {
		return a.serve(w, r, match)
	}
	deadlines := http.NewResponseController(w)
	_ = deadlines.SetReadDeadline(time.Now().Add(a.bodyTimeout))
	r, err := keepBody(r, op)
	if late := a.late(w, err); late != nil {
		return late
	}
	_ = deadlines.SetReadDeadline(time.Time{})
	if err != nil {
		return err
	}
	header := w.Header().Clone()
	var deadline time.Time
	for {
		err := a.serve(w, again(r), match)
		if err == nil || !a.deposed(r, err) {
			return err
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(leaderPatience)
		}
		if time.Now().After(deadline) || !pause.For(r.Context(), leaderRetry) {
			return err
		}
		clear(w.Header())
		maps.Copy(w.Header(), header)
	}
}

// deposed says whether a request failed because this server does not lead any
// more, and may be answered by the next leader.
func (a *API) deposed(r *http.Request, err error) bool {
	if r.Context().Err() != nil {
		return false
	}
	return errors.Is(err, api.ErrNoLeader) || errors.Is(err, api.ErrUnavailable) && !a.Agent.Leads() && harmless(r)
}
