package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// flood dials an agent from one of this machine's addresses and says something.
func flood(t *testing.T, host, from, say string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := d.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, _ = io.WriteString(c, say)
	return c
}

// resident gives the memory of an agent in MiB.
func resident(t *testing.T, a *agent) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

// servedFrom asks from an address of its own until ctx ends.
func servedFrom(ctx context.Context, a *agent, from string) (n int, err error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
	for ; ctx.Err() == nil; n++ {
		resp, err := client.Get(a.Address + "/v1/jobs")
		if err != nil {
			return n, err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return n, errors.New(resp.Status)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return n, nil
}

// ended waits until the agent has closed all connections.
func ended(t *testing.T, conns []net.Conn, limit time.Duration) {
	t.Helper()
	end := time.Now().Add(limit)
	for i, c := range conns {
		_ = c.SetReadDeadline(end)
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d of %d is open after %s", i, len(conns), limit)
		}
	}
}

// TestSlowCallers comes with 10,000 connections of one address whose headers do
// not end, and 5,000 of many addresses whose bodies come byte by byte. Others are
// served all the time, all of them end, and the agent does not grow.
func TestSlowCallers(t *testing.T) {
	if os.Getenv("SERAI_SECURITY") != "all" {
		t.Skip("make test-security runs it")
	}
	a := start(t, rig.Options{NoClient: true})
	host, before := strings.TrimPrefix(a.Address, "http://"), resident(t, a)
	ctx, stop := context.WithCancel(t.Context())
	type result struct {
		n   int
		err error
	}
	others := make(chan result, 1)
	go func() { n, err := servedFrom(ctx, a, "127.8.0.1"); others <- result{n, err} }()

	var headers, bodies []net.Conn
	for range 10_000 {
		headers = append(headers, flood(t, host, "127.7.0.1", "GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: "))
	}
	ended(t, headers, patience)
	for i := range 5_000 {
		bodies = append(bodies, flood(t, host, fmt.Sprintf("127.7.1.%d", 1+i%60), "PUT /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"))
	}
	most := resident(t, a)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 60 {
			for _, c := range bodies {
				_, _ = io.WriteString(c, " ")
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	}()
	ended(t, bodies, 3*patience)
	most = max(most, resident(t, a))
	stop()
	<-done
	if got := <-others; got.err != nil || got.n == 0 {
		t.Errorf("another address was served %d times, then: %v", got.n, got.err)
	} else {
		t.Logf("another address was served %d times; the agent had %d MiB and at most %d", got.n, before, most)
	}
	if most-before > 128 {
		t.Errorf("the agent grew from %d to %d MiB", before, most)
	}
	last, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if n, err := servedFrom(last, a, "127.7.0.1"); n == 0 && err != nil {
		t.Errorf("the address of the slow ones is not served afterwards: %v", err)
	}
}
