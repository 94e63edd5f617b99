package agent

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
)

// An agent asks itself in memory, as soon as it answers, and is sent nowhere else.
func TestAsksItself(t *testing.T) {
	l := newInward()
	answered := make(chan error, 1)
	go func() {
		resp, err := l.client().Get("http://self/there")
		if err == nil {
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusTemporaryRedirect || string(text) != "from self" {
				t.Errorf("%s %q", resp.Status, text)
			}
		}
		answered <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- l.run(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/there" {
				t.Errorf("%s was asked for", r.URL)
			}
			w.Header().Set("Location", "http://192.0.2.1/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
			_, _ = io.WriteString(w, "from "+r.RemoteAddr)
		}), slog.New(slog.DiscardHandler))
	}()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := l.client().Get("http://self/"); err == nil {
		t.Error("it answers after its end")
	}
}
