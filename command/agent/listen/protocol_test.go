package listen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

// keys makes the keys of a server.
func keys(t *testing.T) *tlsx.Keys {
	t.Helper()
	a, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Issue(pki.Request{Public: key.Public(), Role: tlsx.RoleServer, Region: "global", Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := pki.KeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := tlsx.Files{CA: filepath.Join(dir, "ca"), Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	for path, b := range map[string][]byte{f.CA: pki.CertificatesPEM(a.Cert), f.Cert: pki.CertificatesPEM(cert), f.Key: keyPEM} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, err := tlsx.Open(tlsx.Options{Files: f})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// serve runs a server that answers HTTP with the protocol's name and its Raft
// connections with what they send, until the test ends.
func serve(t *testing.T, c Config) (s *Server, dialer *tlsx.Dialer) {
	t.Helper()
	c.Address, c.HTTP2, c.Grace, c.Logger = "127.0.0.1:0", true, time.Second, slog.New(slog.DiscardHandler)
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	streams := s.Streams(tlsx.ProtoRaft)
	go func() {
		for {
			conn, err := streams.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _, _ = io.Copy(conn, conn) }()
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return s, &tlsx.Dialer{Region: "global"}
}

// speaks checks all that a port answers.
func speaks(t *testing.T, address string, d *tlsx.Dialer) {
	t.Helper()
	c, err := d.Dial(t.Context(), address, tlsx.ProtoRaft)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("raft: %q, %v", got, err)
	}
	for version, proto := range map[string]string{"HTTP/1.1": tlsx.ProtoHTTP1, "HTTP/2.0": tlsx.ProtoHTTP2} {
		dial := func(ctx context.Context, _, addr string) (net.Conn, error) { return d.Dial(ctx, addr, proto) }
		tr := &http.Transport{DialContext: dial, DialTLSContext: dial, Protocols: new(http.Protocols)}
		defer tr.CloseIdleConnections()
		scheme := "http://"
		if d.Keys != nil {
			scheme = "https://"
		}
		tr.Protocols.SetHTTP1(version == "HTTP/1.1")
		tr.Protocols.SetHTTP2(version != "HTTP/1.1" && d.Keys != nil)
		tr.Protocols.SetUnencryptedHTTP2(version != "HTTP/1.1" && d.Keys == nil)
		resp, err := (&http.Client{Transport: tr}).Get(scheme + address + "/")
		if err != nil {
			t.Errorf("%s: %v", version, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != version {
			t.Errorf("%s: got %q", version, body)
		}
	}
}

func TestOnePortSpeaksSeveralProtocols(t *testing.T) {
	s, d := serve(t, Config{})
	speaks(t, s.Address().String(), d)
}

func TestOnePortSpeaksSeveralProtocolsOverTLS(t *testing.T) {
	k := keys(t)
	s, d := serve(t, Config{TLS: func(protos []string) *tls.Config { return k.Listening(tlsx.Known, protos, nil) }})
	d.Keys = k
	speaks(t, s.Address().String(), d)
	if c, err := d.Dial(t.Context(), s.Address().String(), "serai-other"); err == nil {
		_ = c.Close()
		t.Error("a protocol that nobody speaks is agreed on")
	}
	resp, err := http.Get("http://" + s.Address().String())
	if err == nil {
		t.Errorf("without TLS: status %d", resp.StatusCode)
		_ = resp.Body.Close()
	}
}

// Connections that say nothing, or half a preamble, are cut and keep nobody waiting.
func TestSilentConnectionsAreCut(t *testing.T) {
	for name, c := range map[string]Config{"plain": {}, "TLS": {}} {
		c.HandshakeTimeout, c.ReadHeaderTimeout = 200*time.Millisecond, 200*time.Millisecond
		var k *tlsx.Keys
		if name == "TLS" {
			k = keys(t)
			c.TLS = func(protos []string) *tls.Config { return k.Listening(tlsx.Known, protos, nil) }
		}
		s, d := serve(t, c)
		d.Keys = k
		var silent []net.Conn
		for _, first := range []string{"", "\x00", "\x00serai-ra", "\x00serai-nothing\n", "\x00h2\n", "\x00" + string(bytes.Repeat([]byte{'a'}, 40)), "\x16\x03\x01"} {
			conn, err := net.Dial("tcp", s.Address().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = conn.Write([]byte(first))
			silent = append(silent, conn)
		}
		d.Keys = k
		speaks(t, s.Address().String(), d)
		for i, conn := range silent {
			_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			b, err := io.ReadAll(conn)
			if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
				t.Errorf("%s: connection %d is still open, it read %q", name, i, b)
			}
		}
	}
}

// A connection that nobody takes is closed, and a closed stream does not end HTTP.
func TestClosedStreams(t *testing.T) {
	s, d := serve(t, Config{})
	_ = s.sorter.streams[tlsx.ProtoRaft].Close()
	c, err := d.Dial(t.Context(), s.Address().String(), tlsx.ProtoRaft)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("somebody answers")
	}
	resp, err := http.Get("http://" + s.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func FuzzPreamble(f *testing.F) {
	f.Add(tlsx.Preamble(tlsx.ProtoRaft)[1:])
	f.Add([]byte("\n"))
	f.Add(bytes.Repeat([]byte{'x'}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		name, err := readPreamble(r)
		rest, _ := io.ReadAll(r)
		if read := len(b) - len(rest); read > tlsx.MaxProto+1 {
			t.Fatalf("read %d bytes", read)
		}
		if err != nil {
			return
		}
		if got := append(tlsx.Preamble(name)[1:], rest...); !bytes.Equal(got, b) || tlsx.IsHTTP(name) {
			t.Fatalf("%q was read from %q", name, b)
		}
	})
}
