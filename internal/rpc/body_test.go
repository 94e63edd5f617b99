package rpc

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// TestAnAnswerBeforeTheBody: a server refuses a request whose body does not come,
// because who sends it waits for the answer. The one between them is not stuck.
func TestAnAnswerBeforeTheBody(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	c := client(t, s)
	body, sender := io.Pipe()
	t.Cleanup(func() { _ = sender.Close() })
	r, err := http.NewRequest(http.MethodPut, "http://server/v1/x", io.NopCloser(body))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 2
	done := make(chan error, 1)
	go func() {
		resp, err := c.RoundTrip(r)
		if err == nil && resp.StatusCode != http.StatusForbidden {
			err = errors.New(resp.Status)
		}
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the answer is there, and its end waits for the body")
	}
}

// TestAttemptsGoOn: what one attempt has not read is for the next.
func TestAttemptsGoOn(t *testing.T) {
	text := strings.Repeat("0123456789", 10_000)
	p := &passed{from: iotest.DataErrReader(strings.NewReader(text))}
	var got bytes.Buffer
	for range 3 {
		a := p.attempt()
		if _, err := io.CopyN(&got, a, 777); err != nil {
			t.Fatal(err)
		}
		_ = a.Close()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("a read after the end: %v", err)
		}
	}
	if _, err := io.Copy(&got, p.attempt()); err != nil || got.String() != text {
		t.Errorf("%d of %d bytes, %v", got.Len(), len(text), err)
	}
	if n, err := p.attempt().Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
}
