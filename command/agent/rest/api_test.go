package rest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
	"github.com/seraihq/serai/command/agent/monitor"
	"github.com/seraihq/serai/internal/telemetry"
)

// fakeServer answers with what the test says.
type fakeServer struct {
	Cluster
	handle func(op *api.Endpoint, req any) (any, api.Meta, error)
	events chan *api.Events
	// catchUp says whether this server may answer a read; nil: it leads.
	catchUp func(consistent bool) (bool, error)
}

func (f *fakeServer) CatchUp(ctx context.Context, consistent bool) (context.Context, bool, error) {
	if f.catchUp == nil {
		return ctx, false, nil
	}
	ok, err := f.catchUp(consistent)
	return context.WithValue(ctx, caught{}, ok), ok, err
}

type caught struct{}

func (f *fakeServer) Answers(op *api.Endpoint) bool { return op != api.JobPlan.Endpoint }
func (f *fakeServer) Handle(ctx context.Context, op *api.Endpoint, req any) (any, api.Meta, error) {
	if up, _ := ctx.Value(caught{}).(bool); f.catchUp != nil {
		return up, api.Meta{Index: 1}, nil
	}
	return f.handle(op, req)
}
func (f *fakeServer) Leader() string                                           { return "127.0.0.1:4647" }
func (f *fakeServer) Address() string                                          { return "127.0.0.1:4647" }
func (f *fakeServer) RemovePeer(context.Context, string) error                 { return nil }
func (f *fakeServer) TransferLeadership(context.Context, string, string) error { return nil }
func (*fakeServer) Verify(context.Context) (api.StateVerification, error) {
	return api.StateVerification{}, nil
}
func (f *fakeServer) NodeBrake() api.NodeBrake              { return api.NodeBrake{} }
func (f *fakeServer) ReleaseNodeBrake()                     {}
func (f *fakeServer) Route(context.Context) (string, error) { return "", nil }
func (f *fakeServer) Node(id string) (*api.Node, bool)      { return &api.Node{ID: id}, true }
func (f *fakeServer) IdentityKeys(context.Context) (any, error) {
	return map[string]any{"keys": []any{}}, nil
}
func (f *fakeServer) Issuer() string             { return "" }
func (f *fakeServer) Peers() []string            { return []string{"127.0.0.1:4647"} }
func (f *fakeServer) Members() api.ServerMembers { return api.ServerMembers{ServerName: "s"} }
func (f *fakeServer) RaftConfiguration() (api.RaftConfiguration, error) {
	return api.RaftConfiguration{}, nil
}
func (f *fakeServer) SaveSnapshot(_ context.Context, w io.Writer, _ bool) error {
	_, err := io.WriteString(w, "snap")
	return err
}
func (f *fakeServer) RestoreSnapshot(_ context.Context, r io.Reader, _ bool) error {
	data, _ := io.ReadAll(r)
	return api.Errorf(api.ErrInvalid, "not a snapshot: %d bytes", len(data))
}
func (f *fakeServer) MigrateToken(api.Sensitive, string) (api.Sensitive, error) {
	return "", api.Errorf(api.ErrDenied, "Permission denied")
}
func (f *fakeServer) Locate(string) (string, bool) { return "n2", true }
func (f *fakeServer) Events(context.Context, *api.EventStreamRequest) (func(context.Context) (*api.Events, error), error) {
	return func(ctx context.Context) (*api.Events, error) {
		select {
		case e := <-f.events:
			return e, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, nil
}

type fakeAgent struct {
	health api.AgentHealthResponse
	leads  bool
}

func (fakeAgent) Region() string                    { return "global" }
func (fakeAgent) Self() api.AgentSelfResponse       { return api.AgentSelfResponse{} }
func (a fakeAgent) Leads() bool                     { return a.leads }
func (a fakeAgent) Health() api.AgentHealthResponse { return a.health }
func (fakeAgent) Reload() error                     { return nil }

func start(t *testing.T, server *fakeServer, agent fakeAgent) (*httptest.Server, *monitor.Hub) {
	t.Helper()
	metrics, err := telemetry.Start(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	hub := monitor.NewHub()
	a := New(Config{Server: server, Agent: agent, Logs: hub, Telemetry: metrics, Headers: map[string]string{"X-Own": "1"},
		Logger: slog.New(hub.Handler(slog.DiscardHandler))})
	s := httptest.NewServer(listen.Bodies(1<<16, nil, a))
	t.Cleanup(s.Close)
	return s, hub
}

func ask(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

func TestAnswers(t *testing.T) {
	server := &fakeServer{handle: func(op *api.Endpoint, req any) (any, api.Meta, error) {
		switch op {
		case api.JobRead.Endpoint:
			id := req.(*api.JobReadRequest).ID
			if id == "panic" {
				panic("on purpose")
			}
			if id == "none" {
				return nil, api.Meta{}, api.Errorf(api.ErrNotFound, "job not found")
			}
			return &api.Job{ID: id}, api.Meta{Index: 7, KnownLeader: true, NextToken: "x"}, nil
		case api.JobsList.Endpoint:
			return []*api.JobListStub{}, api.Meta{Index: 1}, nil
		case api.NamespaceUpsert.Endpoint:
			return api.None{}, api.Meta{Index: 9}, nil
		}
		return nil, api.Meta{}, api.Errorf(api.ErrInvalid, "%s", op.Name)
	}}
	s, _ := start(t, server, fakeAgent{})
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v1/job/a%2Fb", "", 200, `"ID":"a/b"`},
		{"GET", "/v1/job/a/b?pretty", "", 200, `    "ID": "a/b"`},
		{"GET", "/v1/job/none", "", 404, "job not found\n"},
		{"GET", "/v1/job/panic", "", 500, "internal error"},
		{"GET", "/v1/jobs", "", 200, "[]"},
		{"DELETE", "/v1/jobs", "", 405, "Invalid method"},
		{"GET", "/v1/nothing", "", 404, ""},
		{"GET", "/elsewhere", "", 404, ""},
		{"GET", "/?x=1", "", 307, ""},
		{"GET", "/ui/", "", 404, "404 page not found"},
		{"GET", "/v1/openapi.json", "", 200, `"openapi":"3.1.0"`},
		{"GET", "/v1/acl/auth-methods", "", 501, "auth methods, binding rules and sign-in: not there yet"},
		{"PUT", "/v1/job/x/action", "", 501, "running actions"},
		{"GET", "/v1/operator/license", "", 204, ""},
		{"PUT", "/v1/job/x/plan", "{}", 501, "Job.Plan is not there yet"},
		{"PUT", "/v1/namespace", `{"Name":"n"}`, 200, ""},
		{"POST", "/v1/namespace", `{"Name":"n"}`, 200, ""},
		{"PUT", "/v1/namespace", `{"Name":`, 400, "line 1"},
		{"PUT", "/v1/namespace", strings.Repeat("[", 1000), 400, "deeper than"},
		{"PUT", "/v1/namespace", `"` + strings.Repeat("x", 1<<16) + `"`, 413, "larger than 65536 bytes"},
		{"GET", "/v1/jobs?index=x", "", 400, `"index"`},
		{"GET", "/v1/status/leader", "", 200, `"127.0.0.1:4647"`},
		{"GET", "/v1/regions", "", 200, `["global"]`},
		{"GET", "/v1/client/stats", "", 400, "runs no client"},
		{"GET", "/v1/client/fs/ls/short", "", 400, "UUID must be 36 characters"},
		{"GET", "/v1/client/fs/ls/00000000-0000-0000-0000-000000000000", "", 503, "node n2 has told no address"},
		{"PUT", "/v1/operator/snapshot", "junk", 400, "not a snapshot: 4 bytes"},
		{"GET", "/v1/operator/snapshot", "", 200, "snap"},
		{"GET", "/v1/metrics?format=prometheus", "", 400, "prometheus_metrics = true"},
		{"GET", "/v1/metrics", "", 200, "Gauges"},
		{"GET", "/v1/agent/monitor?log_level=loud", "", 400, `"loud"`},
	} {
		resp, body := ask(t, c.method, s.URL+c.path, c.body)
		if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, resp.StatusCode, body, c.status, c.want)
		}
		if c.status != 413 && resp.Header.Get("X-Own") != "1" { // refused before the API
			t.Errorf("%s %s lacks the configured header", c.method, c.path)
		}
	}
	resp, _ := ask(t, "GET", s.URL+"/v1/job/a", "")
	for k, want := range map[string]string{"X-Nomad-Index": "7", "X-Nomad-Knownleader": "true", "X-Nomad-Lastcontact": "0", "X-Nomad-Nexttoken": "x"} {
		if got := resp.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if resp, body := ask(t, "HEAD", s.URL+"/v1/job/a", ""); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d %q", resp.StatusCode, body)
	}
}

func TestLongListsComeWholeAndCompressed(t *testing.T) {
	var list []*api.JobListStub
	for range 1000 {
		list = append(list, &api.JobListStub{ID: "job"})
	}
	server := &fakeServer{handle: func(*api.Endpoint, any) (any, api.Meta, error) { return list, api.Meta{Index: 1}, nil }}
	s, _ := start(t, server, fakeAgent{})
	_, plain := ask(t, "GET", s.URL+"/v1/jobs", "")
	resp, packed := ask(t, "GET", s.URL+"/v1/jobs", "", "Accept-Encoding", "br, gzip;q=0.5")
	if resp.Header.Get("Content-Encoding") != "gzip" || len(packed) > len(plain)/10 {
		t.Fatalf("%v, %d bytes", resp.Header, len(packed))
	}
	zip, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(zip)
	if err != nil || string(unpacked) != plain {
		t.Fatalf("compressed and plain differ (%v)", err)
	}
	var got []*api.JobListStub
	if err := json.Unmarshal(unpacked, &got); err != nil || len(got) != len(list) {
		t.Fatalf("%d elements (%v)", len(got), err)
	}
	if resp, _ := ask(t, "GET", s.URL+"/v1/jobs", "", "Accept-Encoding", "gzip;q=0"); resp.Header.Get("Content-Encoding") != "" {
		t.Error("compressed though gzip was refused")
	}
}

func TestHealthTellsByStatus(t *testing.T) {
	s, _ := start(t, &fakeServer{}, fakeAgent{health: api.AgentHealthResponse{
		Server: &api.HealthState{Ok: true, Message: "ok"}, Client: &api.HealthState{Message: "no heartbeat"}}})
	for query, status := range map[string]int{"": 500, "?type=server": 200, "?type=client": 500, "?type=cat": 400} {
		if resp, body := ask(t, "GET", s.URL+"/v1/agent/health"+query, ""); resp.StatusCode != status {
			t.Errorf("health%s: %d %s", query, resp.StatusCode, body)
		}
	}
}

func TestEventStreamAndMonitorSendAtOnce(t *testing.T) {
	server := &fakeServer{events: make(chan *api.Events, 1)}
	s, hub := start(t, server, fakeAgent{})
	server.events <- &api.Events{Index: 5, Events: []*api.Event{{Topic: api.TopicJob, Key: "web"}}}
	resp, err := http.Get(s.URL + "/v1/event/stream?topic=Job")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var events api.Events
	if err := json.NewDecoder(resp.Body).Decode(&events); err != nil || events.Index != 5 || events.Events[0].Key != "web" {
		t.Fatalf("%+v (%v)", events, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/v1/agent/monitor?log_level=debug&plain=true", nil)
	log, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Body.Close()
	logger := slog.New(hub.Handler(slog.DiscardHandler)).With("component", "test")
	for !logger.Enabled(ctx, slog.LevelDebug) && ctx.Err() == nil { // the follower arrives
	}
	logger.Debug("found", "what", "it")
	buf := make([]byte, 4096)
	n, err := log.Body.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), "[DEBUG] test: found: what=it") {
		t.Fatalf("%q (%v)", buf[:n], err)
	}
}

// TestHealthOfTheLeader is what a load balancer asks that wants the leader alone.
func TestHealthOfTheLeader(t *testing.T) {
	for leads, want := range map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable} {
		s, _ := start(t, &fakeServer{}, fakeAgent{leads: leads})
		resp, err := http.Get(s.URL + "/v1/agent/health?type=leader")
		if err != nil {
			t.Fatal(err)
		}
		var h api.AgentHealthResponse
		err = json.NewDecoder(resp.Body).Decode(&h)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want || h.Server == nil || h.Server.Ok != leads {
			t.Errorf("leads %v: %d %+v %v", leads, resp.StatusCode, h.Server, err)
		}
	}
}

// A request that is given up because the agent stops is no success: what was not
// answered used to be sent as an empty 200.
func TestGivenUpIsNoSuccess(t *testing.T) {
	server := &fakeServer{handle: func(*api.Endpoint, any) (any, api.Meta, error) { return nil, api.Meta{}, context.Canceled }}
	a := New(Config{Server: server, Agent: fakeAgent{}, Logger: slog.New(slog.DiscardHandler)})
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, "/v1/namespace/x", strings.NewReader(`{"Name":"x"}`)))
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "stopping") {
			t.Errorf("%s: %d %q", method, w.Code, w.Body)
		}
	}
}
