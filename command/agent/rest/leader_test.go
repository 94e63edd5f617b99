package rest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/telemetry"
)

// TestFollowersCatchUpForReads: a read that needs the newest state is answered
// here when this server has it, and by the leader otherwise; nothing else asks.
func TestFollowersCatchUpForReads(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, body string
		ok                 bool
		err                error
		asked, answer      string
	}{
		"a read":                  {"GET", "/v1/jobs", "", true, nil, "default", "true"},
		"a consistent one":        {"GET", "/v1/jobs?consistent&stale", "", true, nil, "consistent", "true"},
		"one that is for another": {"GET", "/v1/jobs", "", false, nil, "default", "from the leader"},
		"a stale one":             {"GET", "/v1/jobs?stale", "", true, nil, "", "false"},
		"a write":                 {"PUT", "/v1/jobs", `{"Job":{"ID":"j"}}`, true, nil, "", "from the leader"},
		"a search":                {"POST", "/v1/search", `{"Prefix":"x","Context":"all"}`, true, nil, "", "from the leader"},
		"one that nobody answers": {"GET", "/v1/jobs", "", false, api.Errorf(api.ErrInvalid, "no"), "default", "no"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ""
			f := &following{fakeServer{catchUp: func(consistent bool) (bool, error) {
				asked = map[bool]string{true: "consistent", false: "default"}[consistent]
				return c.ok, c.err
			}}}
			metrics, err := telemetry.Start(telemetry.Config{})
			if err != nil {
				t.Fatal(err)
			}
			leader := roundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("from the leader"))}, nil
			})
			s := httptest.NewServer(New(Config{
				Server: f, Agent: fakeAgent{}, Telemetry: metrics, Logger: slog.New(slog.DiscardHandler), MaxBody: 1 << 20,
				Peer: func(string) http.RoundTripper { return leader },
			}))
			defer s.Close()
			_, text := ask(t, c.method, s.URL+c.path, c.body)
			if asked != c.asked || strings.TrimSpace(text) != c.answer {
				t.Errorf("asked %q, want %q; answer %q, want %q", asked, c.asked, text, c.answer)
			}
		})
	}
}

// following is a server that does not lead.
type following struct{ fakeServer }

func (*following) Route(context.Context) (string, error) { return "127.0.0.9:4647", nil }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
