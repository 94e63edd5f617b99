package rest

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/telemetry"
)

// TestWriteLastsOverAnElection has this server cease to lead over a request, and
// lead again.
func TestWriteLastsOverAnElection(t *testing.T) {
	lost := api.Errorf(api.ErrNoLeader, "apply: node is not the leader")
	unknown := api.Errorf(api.ErrUnavailable, "apply: leadership lost while committing log")
	for name, c := range map[string]struct {
		method, path, body string
		first              error
		times, status      int
	}{
		"nothing was done":                   {"PUT", "/v1/job/j/dispatch", `{}`, lost, 2, 200},
		"it may be done twice":               {"PUT", "/v1/job/j/evaluate", `{"JobID":"j"}`, unknown, 2, 200},
		"it would take back what others set": {"PUT", "/v1/jobs", `{"Job":{"ID":"j"}}`, unknown, 1, 503},
		"it must not be done twice":          {"PUT", "/v1/job/j/dispatch", `{}`, unknown, 1, 503},
		"it is for one index":                {"PUT", "/v1/jobs", `{"Job":{"ID":"j"},"EnforceIndex":true}`, unknown, 1, 503},
		"a read":                             {"GET", "/v1/jobs", ``, lost, 2, 200},
		"a stale read answers for itself":    {"GET", "/v1/jobs?stale", ``, lost, 1, 500},
		"another error":                      {"PUT", "/v1/jobs", `{"Job":{"ID":"j"}}`, api.Errorf(api.ErrConflict, "no"), 1, 409},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := &fakeServer{handle: func(_ *api.Endpoint, req any) (any, api.Meta, error) {
				if asked++; asked == 1 {
					return nil, api.Meta{Index: 7}, c.first
				}
				if r, ok := req.(*api.JobRegisterRequest); ok && r.Job.ID != "j" {
					t.Errorf("the second time the body is %+v", r)
				}
				return struct{}{}, api.Meta{Index: 9}, nil
			}}
			metrics, err := telemetry.Start(telemetry.Config{})
			if err != nil {
				t.Fatal(err)
			}
			a := New(Config{Server: server, Agent: fakeAgent{}, Telemetry: metrics, Logger: slog.New(slog.DiscardHandler),
				Peer: func(string) http.RoundTripper { return nil }})
			s := httptest.NewServer(a)
			defer s.Close()
			r, err := http.NewRequest(c.method, s.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if asked != c.times || resp.StatusCode != c.status {
				t.Errorf("asked %d times, status %d: %s", asked, resp.StatusCode, text)
			}
			if got := resp.Header.Values("X-Nomad-Index"); c.status == 200 && (len(got) != 1 || got[0] != "9") {
				t.Errorf("index %v", got)
			}
		})
	}
}
