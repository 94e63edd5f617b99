package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/internal/wire"
)

// fake answers with what its fields do.
type fake struct {
	register func(*api.NodeRegisterRequest) (*api.NodeRegisterResponse, error)
	sync     func(ctx context.Context, req *api.NodeSyncRequest, send func(*api.NodeSync) error) error
	update   func(*api.AllocUpdateRequest) error
}

func (f *fake) Register(_ context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
	return f.register(req)
}

func (f *fake) Heartbeat(_ context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	return f.register(&api.NodeRegisterRequest{Node: &api.Node{ID: req.NodeID, SecretID: req.SecretID, Status: req.Status}})
}

func (f *fake) Heartbeats(ctx context.Context, beats []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
	out := make([]api.NodeHeartbeatAnswer, len(beats))
	for i, b := range beats {
		resp, err := f.Heartbeat(ctx, b)
		if err != nil {
			out[i].Err = err
		} else {
			out[i].NodeRegisterResponse = *resp
		}
	}
	return out, nil
}

func (f *fake) Sync(ctx context.Context, req *api.NodeSyncRequest, send func(*api.NodeSync) error) error {
	return f.sync(ctx, req, send)
}

func (f *fake) UpdateAllocs(_ context.Context, req *api.AllocUpdateRequest) error {
	return f.update(req)
}

func (f *fake) UpdateMany(_ context.Context, reqs []*api.AllocUpdateRequest) ([]error, error) {
	out := make([]error, len(reqs))
	for i, req := range reqs {
		out[i] = f.update(req)
	}
	return out, nil
}

// serve answers with f over TCP until the test ends.
func serve(t *testing.T, f *fake) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(NewHandler(f, nil, slog.New(slog.DiscardHandler)))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, servers ...*httptest.Server) *Client {
	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, s.Listener.Addr().String())
	}
	c := NewClient(addresses, &tlsx.Dialer{})
	t.Cleanup(c.Close)
	return c
}

func TestSecretsAndObjectsTravel(t *testing.T) {
	var got *api.Node
	s := serve(t, &fake{register: func(req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
		got = req.Node
		return &api.NodeRegisterResponse{HeartbeatTTL: api.Duration(7 * time.Second), Index: 9}, nil
	}})
	c := client(t, s)
	want := &api.Node{ID: "n1", SecretID: "hush", Attributes: map[string]string{"a": "b"}, NodeResources: &api.NodeResources{MinDynamicPort: 5}}
	resp, err := c.Register(t.Context(), &api.NodeRegisterRequest{Node: want})
	if err != nil || resp.HeartbeatTTL.Std() != 7*time.Second || resp.Index != 9 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if !wire.Same(got, want) || got.SecretID.Reveal() != "hush" {
		t.Errorf("got %+v", got)
	}
	if _, err := c.Heartbeat(t.Context(), &api.NodeHeartbeatRequest{NodeID: "n2", SecretID: "x", Status: "ready"}); err != nil || got.ID != "n2" || got.SecretID != "x" {
		t.Errorf("heartbeat: %+v, %v", got, err)
	}
}

func TestErrorsKeepTheirKinds(t *testing.T) {
	var fail error
	s := serve(t, &fake{
		register: func(*api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) { return nil, fail },
		sync: func(_ context.Context, _ *api.NodeSyncRequest, send func(*api.NodeSync) error) error {
			if err := send(&api.NodeSync{Full: true}); err != nil {
				return err
			}
			return fail
		},
	})
	c := client(t, s)
	for _, k := range kinds {
		fail = fmt.Errorf("apply: %w", api.Errorf(k.kind, "because of %s", k.name))
		_, err := c.Register(t.Context(), &api.NodeRegisterRequest{})
		if !errors.Is(err, k.kind) || !strings.Contains(err.Error(), "because of "+k.name) {
			t.Errorf("%s: got %v", k.name, err)
		}
		err = c.Sync(t.Context(), &api.NodeSyncRequest{}, func(*api.NodeSync) error { return nil })
		if !errors.Is(err, k.kind) || !strings.Contains(err.Error(), "because of "+k.name) {
			t.Errorf("%s in a stream: got %v", k.name, err)
		}
	}
	fail = errors.New("broken")
	if _, err := c.Register(t.Context(), &api.NodeRegisterRequest{}); err == nil || api.Status(err) != 500 || err.Error() != "broken" {
		t.Errorf("an error without a kind: %v", err)
	}
}

func TestAnotherServerIsTried(t *testing.T) {
	asked := 0
	good := serve(t, &fake{register: func(*api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
		asked++
		return &api.NodeRegisterResponse{}, nil
	}})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	stranger := httptest.NewServer(http.NotFoundHandler()) // speaks HTTP/1.1 alone
	defer stranger.Close()
	c := client(t, gone, stranger, good)
	for range 3 {
		if _, err := c.Register(t.Context(), &api.NodeRegisterRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 3 || c.Servers()[0] != good.Listener.Addr().String() {
		t.Errorf("asked %d times; servers %v", asked, c.Servers())
	}
	none := client(t, gone)
	_, err := none.Register(t.Context(), &api.NodeRegisterRequest{})
	if !errors.Is(err, api.ErrUnavailable) || !strings.Contains(err.Error(), none.Servers()[0]) {
		t.Errorf("got %v", err)
	}
}

func TestStream(t *testing.T) {
	ended := make(chan struct{})
	s := serve(t, &fake{sync: func(ctx context.Context, req *api.NodeSyncRequest, send func(*api.NodeSync) error) error {
		defer close(ended)
		for i := range 3 {
			if err := send(&api.NodeSync{Index: uint64(i), Full: i == 0, Allocs: []*api.Allocation{allocation(i)}, Removed: []string{req.NodeID}}); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	c := client(t, s)
	var got []*api.NodeSync
	enough := errors.New("enough")
	err := c.Sync(t.Context(), &api.NodeSyncRequest{NodeID: "n1", SecretID: "s"}, func(m *api.NodeSync) error {
		if got = append(got, m); len(got) == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	<-ended // the server sees that nobody reads any more
	for i, m := range got {
		if m.Index != uint64(i) || m.Full != (i == 0) || m.Removed[0] != "n1" || !wire.Same(m.Allocs[0], allocation(i)) {
			t.Errorf("message %d: %+v", i, m)
		}
		if m.Allocs[0].Job != got[0].Allocs[0].Job {
			t.Errorf("message %d has another copy of the job", i)
		}
	}
}

// TestDeadConnection cuts a stream without a word: its reader is told.
func TestStreamBreaks(t *testing.T) {
	s := serve(t, &fake{sync: func(ctx context.Context, _ *api.NodeSyncRequest, send func(*api.NodeSync) error) error {
		_ = send(&api.NodeSync{Full: true})
		<-ctx.Done()
		return ctx.Err()
	}})
	c := client(t, s)
	err := c.Sync(t.Context(), &api.NodeSyncRequest{}, func(*api.NodeSync) error {
		go s.CloseClientConnections()
		return nil
	})
	if !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestUpdates(t *testing.T) {
	var got []*api.Allocation
	calls := 0
	s := serve(t, &fake{update: func(req *api.AllocUpdateRequest) error {
		calls++
		if req.NodeID != "n1" || req.SecretID != "s" {
			return api.Errorf(api.ErrDenied, "who?")
		}
		got = append(got, req.Allocs...)
		return nil
	}})
	c := client(t, s)
	var want []*api.Allocation
	for i := range maxUpdates + 1 {
		a := allocation(i)
		want = append(want, &api.Allocation{ID: a.ID, ClientStatus: "running", ClientDescription: "fine", TaskStates: a.TaskStates, NetworkStatus: a.NetworkStatus, DeploymentStatus: a.DeploymentStatus})
	}
	if err := c.UpdateAllocs(t.Context(), &api.AllocUpdateRequest{NodeID: "n1", SecretID: "s", Allocs: want}); err != nil {
		t.Fatal(err)
	}
	if calls != 2 || !wire.Same(got, want) {
		t.Errorf("%d calls, %d updates", calls, len(got))
	}
	if err := c.UpdateAllocs(t.Context(), &api.AllocUpdateRequest{NodeID: "n2", Allocs: want[:1]}); !errors.Is(err, api.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

// TestUpdatesOfManyNodes: each has its own answer, and what is too much for one
// call goes in several.
func TestUpdatesOfManyNodes(t *testing.T) {
	var got []*api.AllocUpdateRequest
	s := serve(t, &fake{update: func(req *api.AllocUpdateRequest) error {
		got = append(got, req)
		if req.NodeID == "n3" {
			return api.Errorf(api.ErrDenied, "not %s", req.NodeID)
		}
		return nil
	}})
	for size, count := range map[int]int{10: 5, 1 << 20: 40} {
		got = nil
		var want []*api.AllocUpdateRequest
		for i := range count {
			a := allocation(i)
			want = append(want, &api.AllocUpdateRequest{NodeID: fmt.Sprint("n", i), SecretID: api.Sensitive(fmt.Sprint("s", i)), Allocs: []*api.Allocation{
				{ID: a.ID, ClientStatus: "running", ClientDescription: strings.Repeat(fmt.Sprint(i%10), size)[i%10:], TaskStates: a.TaskStates, NetworkStatus: a.NetworkStatus, DeploymentStatus: a.DeploymentStatus}, {ID: "other", ClientStatus: "failed"},
			}})
		}
		failed, err := client(t, s).UpdateMany(t.Context(), want)
		if err != nil || len(failed) != count || !wire.Same(got, want) || got[1].SecretID.Reveal() != "s1" {
			t.Fatalf("size %d: %d of %d, %v", size, len(got), count, err)
		}
		for i, err := range failed {
			if denied := errors.Is(err, api.ErrDenied); denied != (i == 3) || err != nil && !denied {
				t.Errorf("size %d: node %d got %v", size, i, err)
			}
		}
	}
}

// TestForeignRequests: nothing but the codec is taken, and not too much of it.
func TestForeignRequests(t *testing.T) {
	s := serve(t, &fake{register: func(*api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
		t.Error("called")
		return nil, nil
	}})
	post := func(kind, body string) (int, string) {
		t.Helper()
		resp, err := http.Post(s.URL+pathRegister, kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Header.Get(headerKind)
	}
	for _, c := range []struct {
		kind, body string
		status     int
		told       string
	}{
		{"application/json", "{}", 400, "invalid"},
		{"text/plain", "x", 400, "invalid"},
		{contentType, "\xff\xff", 400, "invalid"},
		{contentType, strings.Repeat("a", maxRequest+1), 413, "too-large"},
	} {
		if status, told := post(c.kind, c.body); status != c.status || told != c.told {
			t.Errorf("%s of %d bytes: got %d %q, want %d %q", c.kind, len(c.body), status, told, c.status, c.told)
		}
	}
}

// TestSilentServer: a server that takes connections and says nothing is given up.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := NewClient([]string{l.Addr().String()}, &tlsx.Dialer{})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Register(ctx, &api.NodeRegisterRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Updates that are too much for one call go in several.
func TestLargeUpdatesAreSplit(t *testing.T) {
	calls, got := 0, 0
	s := serve(t, &fake{update: func(req *api.AllocUpdateRequest) error {
		calls, got = calls+1, got+len(req.Allocs)
		return nil
	}})
	var allocs []*api.Allocation
	for i := range 40 {
		allocs = append(allocs, &api.Allocation{ID: fmt.Sprint("a", i), ClientStatus: "running", ClientDescription: strings.Repeat(fmt.Sprint(i%10), 1<<20)[i:]})
	}
	if err := client(t, s).UpdateAllocs(t.Context(), &api.AllocUpdateRequest{NodeID: "n1", Allocs: allocs}); err != nil {
		t.Fatal(err)
	}
	if got != len(allocs) || calls < 3 {
		t.Errorf("%d of %d updates in %d calls", got, len(allocs), calls)
	}
}

// A description of a node that would take gigabytes is not decoded.
func TestBodiesAreBoundedByCall(t *testing.T) {
	s := serve(t, &fake{})
	for path, size := range map[string]int{pathRegister: maxNode + 1, pathHeartbeat: maxSmall + 1, pathSync: maxNode + 1, pathUpdate: maxRequest + 1, pathUpdates: maxRequest + 1, Prefix + "other": maxSmall + 1} {
		resp, err := http.Post(s.URL+path, contentType, strings.NewReader(strings.Repeat("\xa0", size)))
		if err != nil {
			t.Fatal(err)
		}
		if err := readError(resp); !errors.Is(err, api.ErrTooLarge) {
			t.Errorf("%s: %v", path, err)
		}
		_ = resp.Body.Close()
	}
}

func (f *fake) ResolveToken(_ context.Context, req *api.TokenResolveRequest) (*api.TokenResolveResponse, error) {
	return &api.TokenResolveResponse{Denied: "no token of node " + req.NodeID}, nil
}

func (f *fake) SignIdentities(_ context.Context, req *api.IdentitySignRequest) (*api.IdentitySignResponse, error) {
	return &api.IdentitySignResponse{Identities: []*api.SignedIdentity{{Name: req.Names[0], Token: "of " + api.Sensitive(req.Task), Expires: 7}}}, nil
}

// TestSignIdentities carries a task's wish for identities, and their tokens.
func TestSignIdentities(t *testing.T) {
	resp, err := client(t, serve(t, &fake{})).SignIdentities(t.Context(), &api.IdentitySignRequest{NodeID: "n1", SecretID: "s", Task: "web", Names: []string{"default"}})
	if err != nil || len(resp.Identities) != 1 || resp.Identities[0].Token.Reveal() != "of web" || resp.Identities[0].Expires != 7 {
		t.Fatal(resp, err)
	}
}

// TestResolveToken carries a question about a token, and its answer.
func TestResolveToken(t *testing.T) {
	resp, err := client(t, serve(t, &fake{})).ResolveToken(t.Context(), &api.TokenResolveRequest{NodeID: "n1", SecretID: "s", Token: "t"})
	if err != nil || resp.Denied != "no token of node n1" {
		t.Fatal(resp, err)
	}
}

// A call that is given up because the server stops is no success: what was not
// answered used to be sent as an empty 200, and updates were lost with it.
func TestGivenUpIsNoSuccess(t *testing.T) {
	h := NewHandler(&fake{update: func(*api.AllocUpdateRequest) error { return context.Canceled }}, nil, slog.New(slog.DiscardHandler))
	b, err := encodeUpdate(&api.AllocUpdateRequest{NodeID: "n1", SecretID: "s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, pathUpdate, bytes.NewReader(b))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get(headerKind) == "" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
