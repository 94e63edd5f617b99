package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// disk takes lines until it is full.
type disk struct {
	mu    sync.Mutex
	text  strings.Builder
	room  int // writes that it takes; negative: all
	cut   bool
	wrote int
}

func (d *disk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room == 0 {
		if d.cut {
			return d.text.Write(p[:10])
		}
		return 0, errors.New("no space left on device")
	}
	d.room--
	d.wrote++
	return d.text.Write(p)
}

func (d *disk) records(t *testing.T) (out []Record) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for line := range strings.Lines(d.text.String()) {
		var r Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Logf("%v in %q", err, line)
			continue
		}
		out = append(out, r)
	}
	return out
}

const secret = "b0075ec2-1111-4000-8000-000000000001"

var caller = Caller{
	Who: func(_ context.Context, s api.Sensitive) (*auth.Identity, error) {
		switch s {
		case "":
			return &auth.Identity{}, nil
		case secret:
			return &auth.Identity{Token: &api.ACLToken{AccessorID: "the-accessor", Name: "ops", Type: "management", CreateTime: time.Unix(1, 0)}}, nil
		case "task":
			return &auth.Identity{Workload: &api.Workload{Namespace: "prod", JobID: "shop", Task: "web", AllocationID: "a1"}}, nil
		}
		return nil, api.Errorf(api.ErrDenied, "ACL token not found")
	},
	Secret:   func(r *http.Request) api.Sensitive { return api.Sensitive(r.Header.Get("X-Nomad-Token")) },
	Endpoint: func(r *http.Request) string { return strings.TrimSuffix(r.URL.Path, "/ui") },
	Hops:     "Hops",
}

func ask(t *testing.T, h http.Handler, method, url, token string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(`{"Secret":"in the body"}`))
	r.Header.Set("X-Nomad-Token", token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newLog(d *disk, enforced bool, filters ...Filter) *Log {
	return New(d, enforced, filters, NodeMeta{IP: "10.0.0.1", Name: "n1"}, slog.New(slog.DiscardHandler))
}

func TestRecords(t *testing.T) {
	d := &disk{room: -1}
	carried := 0
	h := newLog(d, true).Handler(caller, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		carried++
		if n := len(d.records(t)); n%2 != 1 && r.URL.Path != "/ui" {
			t.Errorf("%d records before the request is carried out", n)
		}
		switch r.URL.Path {
		case "/v1/silent":
		case "/v1/refused":
			http.Error(w, "no", http.StatusForbidden)
		default:
			_, _ = io.WriteString(w, "answer")
		}
	}))
	for _, c := range []struct{ method, url, token, who string }{
		{"PUT", "/v1/jobs?namespace=prod&token=" + secret, secret, "the-accessor"},
		{"GET", "/v1/silent", "", "anonymous"},
		{"DELETE", "/v1/refused", "task", ""},
		{"GET", "/v1/jobs", "11111111-1111-1111-1111-111111111111", ""},
	} {
		ask(t, h, c.method, c.url, c.token)
		all := d.records(t)
		first, last := all[len(all)-2].Payload, all[len(all)-1].Payload
		if first.Stage != Received || last.Stage != Complete || first.Response != nil || last.Response == nil || first.Request != last.Request || first.ID == last.ID {
			t.Errorf("%s %s: %+v then %+v", c.method, c.url, first, last)
		}
		if first.Request.Operation != c.method || strings.Contains(first.Request.Endpoint, "?") || first.Auth.AccessorID != c.who || first.Request.NodeMeta.Name != "n1" || first.Request.RequestMeta.RemoteAddress == "" {
			t.Errorf("%s %s: %+v", c.method, c.url, first)
		}
	}
	all := d.records(t)
	if ns := all[0].Payload.Request.Namespace.ID; ns != "prod" {
		t.Errorf("namespace %q", ns)
	}
	for i, status := range []int{200, 200, 403, 200} {
		if got := all[2*i+1].Payload.Response.StatusCode; got != status {
			t.Errorf("request %d: status %d", i, got)
		}
	}
	if w := all[4].Payload.Auth.Workload; w == nil || w.AllocationID != "a1" {
		t.Errorf("the task is %+v", all[4].Payload.Auth)
	}
	if e := all[6].Payload.Auth.Error; e != "ACL token not found" {
		t.Errorf("the wrong secret is %q", e)
	}
	text := d.text.String()
	for _, s := range []string{secret, "in the body", "11111111-1111", "token="} {
		if strings.Contains(text, s) {
			t.Errorf("%q is in the log", s)
		}
	}
	if ask(t, h, "GET", "/ui", ""); carried != 5 || len(d.records(t)) != 8 {
		t.Errorf("%d carried out, %d records", carried, len(d.records(t)))
	}
}

// TestFullDisk fails at each record, and later goes on.
func TestFullDisk(t *testing.T) {
	for _, torn := range []bool{false, true} {
		for room := range 3 {
			t.Run(fmt.Sprint(room, torn), func(t *testing.T) {
				d := &disk{room: room, cut: torn}
				carried := 0
				next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					carried++
					w.Header().Set("Content-Length", "6")
					_, _ = io.WriteString(w, "answer")
				})
				w := ask(t, newLog(d, true).Handler(caller, next), "PUT", "/v1/jobs", secret)
				if (carried == 1) != (room > 0) {
					t.Errorf("with room for %d records the request is carried out %d times", room, carried)
				}
				if ok := room == 2; ok != (w.Code == 200) || ok != (w.Body.String() == "answer") || !ok && !strings.Contains(w.Body.String(), "audit log") {
					t.Errorf("with room for %d records: %d %q", room, w.Code, w.Body)
				}
				carried, d.room = 0, 0
				best := newLog(d, false).Handler(caller, next)
				if w := ask(t, best, "PUT", "/v1/jobs", secret); w.Code != 200 || w.Body.String() != "answer" || carried != 1 {
					t.Errorf("best effort: %d %q", w.Code, w.Body)
				}
				d.room = -1
				before := len(d.records(t))
				if ask(t, best, "PUT", "/v1/jobs", secret); len(d.records(t)) != before+2 {
					t.Errorf("when there is room again %d records are added", len(d.records(t))-before)
				}
			})
		}
	}
}

func TestFilters(t *testing.T) {
	for name, c := range map[string]struct {
		filter Filter
		want   int // records of a read and of a write of /v1/job/web, and of a read of /v1/metrics
	}{
		"none":          {Filter{Endpoints: []string{"/v1/nothing"}}, 6},
		"one path":      {Filter{Endpoints: []string{"/v1/metrics"}}, 4},
		"below a path":  {Filter{Endpoints: []string{"/v1/job/*"}}, 2},
		"a pattern":     {Filter{Endpoints: []string{"/v1/*/web"}}, 2},
		"reads":         {Filter{Operations: []string{"get"}}, 2},
		"a stage":       {Filter{Stages: []string{Received}}, 3},
		"all together":  {Filter{Endpoints: []string{"/v1/job/*"}, Operations: []string{"GET"}, Stages: []string{Complete}}, 5},
		"every request": {Filter{Endpoints: []string{"*"}, Stages: []string{"*"}, Operations: []string{"*"}}, 0},
	} {
		d := &disk{room: -1}
		h := newLog(d, true, c.filter).Handler(caller, http.NotFoundHandler())
		ask(t, h, "GET", "/v1/job/web", secret)
		ask(t, h, "PUT", "/v1/job/web", secret)
		ask(t, h, "GET", "/v1/metrics", secret)
		if got := len(d.records(t)); got != c.want {
			t.Errorf("%s: %d records, want %d", name, got, c.want)
		}
	}
}

// TestPassedOn follows a request over two agents; a caller cannot choose its ID.
func TestPassedOn(t *testing.T) {
	d := &disk{room: -1}
	second := newLog(d, true).Handler(caller, http.NotFoundHandler())
	first := newLog(d, true).Handler(caller, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Hops", "1")
		second.ServeHTTP(w, r)
	}))
	const chosen = "3f8e2c1a-0000-4000-8000-000000000000"
	ask(t, first, "PUT", "/v1/jobs", secret, idHeader, chosen)
	all := d.records(t)
	for i, r := range all {
		if r.Payload.Request.ID != all[0].Payload.Request.ID || r.Payload.Request.ID == chosen || (i == 1 || i == 2) != (r.Payload.Request.ForwardedBy == 1) {
			t.Errorf("record %d: %+v", i, r.Payload.Request)
		}
	}
	if len(all) != 4 {
		t.Errorf("%d records", len(all))
	}
}

// TestCutOff has a handler give up in the middle.
func TestCutOff(t *testing.T) {
	d := &disk{room: -1}
	h := newLog(d, true).Handler(caller, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	func() {
		defer func() { _ = recover() }()
		ask(t, h, "GET", "/v1/jobs", secret)
	}()
	if all := d.records(t); len(all) != 2 || all[1].Payload.Response.StatusCode != 0 || all[1].Payload.Response.Error == "" {
		t.Errorf("%+v", all)
	}
}

// TestSession is about who opens a session with its first message.
func TestSession(t *testing.T) {
	d := &disk{room: 3}
	var unwritten error
	h := newLog(d, true).Handler(caller, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := Session(r.Context(), secret, nil); err != nil {
			t.Error(err)
		}
		_ = Session(r.Context(), "wrong", api.Errorf(api.ErrDenied, "Permission denied"))
		unwritten = Session(r.Context(), secret, nil)
	}))
	ask(t, h, "GET", "/v1/client/allocation/x/exec", "")
	all := d.records(t)
	if got := all[1].Payload; got.Auth.AccessorID != "the-accessor" || !got.Request.SessionOpened || got.Response.StatusCode != 200 {
		t.Errorf("%+v", got)
	}
	if got := all[2].Payload; got.Auth.Error == "" || got.Response.StatusCode != 403 {
		t.Errorf("%+v", got)
	}
	if !errors.Is(unwritten, api.ErrUnavailable) {
		t.Errorf("a session that is not written down: %v", unwritten)
	}
	if err := Session(context.Background(), secret, nil); err != nil {
		t.Errorf("without a log: %v", err)
	}
}
