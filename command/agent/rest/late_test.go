package rest

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/telemetry"
)

// TestSlowBodyEndsTheConnection sends a body byte by byte, for longer than it may
// take: the connection must end, and not be kept for the rest.
func TestSlowBodyEndsTheConnection(t *testing.T) {
	metrics, err := telemetry.Start(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, peer := range map[string]func(string) http.RoundTripper{"alone": nil, "of several": func(string) http.RoundTripper { return nil }} {
		t.Run(name, func(t *testing.T) {
			server := &fakeServer{handle: func(*api.Endpoint, any) (any, api.Meta, error) { return struct{}{}, api.Meta{}, nil }}
			a := New(Config{Server: server, Agent: fakeAgent{}, Telemetry: metrics, Logger: slog.New(slog.DiscardHandler), Peer: peer})
			a.bodyTimeout = 50 * time.Millisecond
			s := httptest.NewServer(a)
			defer s.Close()
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "PUT /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"); err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
						_, _ = io.WriteString(c, " ")
					}
				}
			}()
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			answer, err := io.ReadAll(c)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatalf("the connection is kept; it was told %q", answer)
			}
			if !strings.Contains(string(answer), "400 Bad Request") || !strings.Contains(string(answer), "has not come within 50ms") {
				t.Errorf("answer %q", answer)
			}
		})
	}
}
