package rpc

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

// TestWhatIsLateIsEnded: of a caller who does not send his body, and of one who
// does not read, whatever the kind of HTTP.
func TestWhatIsLateIsEnded(t *testing.T) {
	const soon = 20 * time.Millisecond
	ends := make(chan error, 1)
	hold := make(chan struct{})
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if r.URL.Path == "/read" {
			ends <- within(soon, c.SetReadDeadline, func() error {
				_, err := io.ReadAll(r.Body)
				return err
			})
			return
		}
		ends <- within(soon, c.SetWriteDeadline, func() error {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return err
				}
			}
		})
	})}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { close(hold); _ = server.Close() })
	for _, proto := range []string{tlsx.ProtoHTTP1, tlsx.ProtoHTTP2} {
		transport := Transport(&tlsx.Dialer{}, proto)
		t.Cleanup(transport.CloseIdleConnections)
		for _, path := range []string{"/read", "/write"} {
			ctx, cancel := context.WithCancel(t.Context())
			body, in := io.Pipe()
			var sent io.Reader
			if path == "/read" {
				sent = body
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.Addr().String()+path, sent)
			if err != nil {
				t.Fatal(err)
			}
			go func() { // it reads nothing of what comes
				resp, err := transport.RoundTrip(req)
				if err == nil {
					<-hold
					_ = resp.Body.Close()
				}
			}()
			select {
			case err := <-ends:
				if err == nil || path == "/read" && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s %s: %v", proto, path, err)
				}
			case <-time.After(30 * time.Second):
				t.Errorf("%s %s: it goes on", proto, path)
			}
			cancel()
			_ = in.Close()
		}
	}
}
