package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// long makes floods as long as it takes for a server to be done with them.
var long = os.Getenv("SERAI_SECURITY") == "all"

// frames is how many of a kind a flood sends.
func frames() int {
	if long {
		return 1_000_000
	}
	return 20_000
}

// flooded is a port of agents whose handlers wait for the end of their request,
// but for /now.
type flooded struct {
	address string
	running atomic.Int64
	most    atomic.Int64
	begun   atomic.Int64
}

func newFlooded(t *testing.T) *flooded {
	t.Helper()
	f := &flooded{}
	s, err := Open(Config{Address: "127.0.0.1:0", For: "RPC", HTTP2: true, Logger: slog.New(slog.DiscardHandler),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10, MaxConnsPerClient: 100, Grace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	f.address = s.Address().String()
	s.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/now" {
			return
		}
		f.begun.Add(1)
		now := f.running.Add(1)
		defer f.running.Add(-1)
		for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
		}
		<-r.Context().Done()
	}))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

// raw is a connection on which frames are written as one likes, and nothing is
// read but when listen is called.
type raw struct {
	net.Conn
	*http2.Framer
	pack *hpack.Encoder
	head bytes.Buffer
}

func (f *flooded) dial(t *testing.T) *raw {
	t.Helper()
	c, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	r := &raw{Conn: c, Framer: http2.NewFramer(c, c)}
	r.pack = hpack.NewEncoder(&r.head)
	if err := r.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *raw) headers(stream uint32, end bool) error {
	r.head.Reset()
	for _, f := range [][2]string{{":method", "POST"}, {":path", "/wait"}, {":scheme", "http"}, {":authority", "agent"}} {
		_ = r.pack.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return r.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: r.head.Bytes(), EndHeaders: end})
}

// TestFloodsOfFrames sends what has brought servers of HTTP/2 down, while others
// go on to be served, and nothing piles up.
func TestFloodsOfFrames(t *testing.T) {
	drain := func(r *raw) { go func() { _, _ = io.Copy(io.Discard, r.Conn) }() }
	for name, flood := range map[string]struct {
		send func(r *raw, i int) error
		read bool // the answers are read
		ends bool // a long flood ends with the connection, by the server
	}{
		"resets": {read: true, send: func(r *raw, i int) error {
			if err := r.headers(uint32(2*i+1), true); err != nil {
				return err
			}
			return r.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
		}},
		"resets that the server is made to send": {read: true, send: func(r *raw, i int) error {
			if err := r.headers(uint32(2*i+1), true); err != nil {
				return err
			}
			return r.WriteRawFrame(http2.FrameWindowUpdate, 0, uint32(2*i+1), []byte{0, 0, 0, 0})
		}},
		"continuations": {ends: true, read: true, send: func(r *raw, i int) error {
			if i == 0 {
				return r.headers(1, false)
			}
			r.head.Reset()
			_ = r.pack.WriteField(hpack.HeaderField{Name: fmt.Sprint("x-", i), Value: "0123456789012345678901234567890123456789", Sensitive: true})
			return r.WriteContinuation(1, false, r.head.Bytes())
		}},
		"pings, unread":    {ends: true, send: func(r *raw, _ int) error { return r.WritePing(false, [8]byte{}) }},
		"settings, unread": {send: func(r *raw, _ int) error { return r.WriteSettings() }},
		"pings":            {read: true, send: func(r *raw, _ int) error { return r.WritePing(false, [8]byte{}) }},
		"empty data": {read: true, send: func(r *raw, i int) error {
			if i == 0 {
				return r.headers(1, true)
			}
			return r.WriteData(1, false, nil)
		}},
		"priorities": {read: true, send: func(r *raw, i int) error {
			return r.WritePriority(uint32(2*i+1), http2.PriorityParam{StreamDep: uint32(2*i + 3)})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlooded(t)
			before := heap()
			r := f.dial(t)
			if flood.read {
				drain(r)
			}
			stop := make(chan struct{})
			served := make(chan int, 1)
			go func() { served <- f.serves(t, stop) }()
			_ = r.SetWriteDeadline(time.Now().Add(5 * time.Minute))
			sent, ended := 0, error(nil)
			for ; sent < frames() && ended == nil; sent++ {
				if !flood.read {
					_ = r.SetWriteDeadline(time.Now().Add(2 * time.Second)) // it reads no more: that is an end, too
				}
				ended = flood.send(r, sent)
			}
			close(stop)
			if n := <-served; n == 0 {
				t.Error("nobody else was served")
			}
			t.Logf("%d sent, %d handlers begun, %d at a time; ended: %v", sent, f.begun.Load(), f.most.Load(), ended)
			if flood.ends && long && ended == nil {
				t.Error("the server takes it for ever")
			}
			if most := f.most.Load(); most > 1000 {
				t.Errorf("%d handlers ran at a time for one connection", most)
			}
			_ = r.Close()
			for end := time.Now().Add(30 * time.Second); f.running.Load() > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d handlers run on", f.running.Load())
				}
			}
			if grown := heap() - before; grown > 64<<20 {
				t.Errorf("%d MiB are kept", grown>>20)
			}
		})
	}
}

// serves asks on a connection of its own until stop; it says how often.
func (f *flooded) serves(t *testing.T, stop <-chan struct{}) int {
	transport := &http2.Transport{AllowHTTP: true, DialTLSContext: func(_ context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
		return net.Dial(network, address)
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	for n := 0; ; n++ {
		resp, err := client.Get("http://" + f.address + "/now")
		if err != nil {
			t.Error(err)
			return n
		}
		_ = resp.Body.Close()
		select {
		case <-stop:
			return n + 1
		case <-time.After(time.Millisecond):
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
