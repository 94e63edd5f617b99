package listen

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

func TestGuard(t *testing.T) {
	const own = "127.0.0.1:4646"
	for _, c := range []struct {
		name, method, path, host string
		header                   map[string]string
		body                     string
		status                   int
	}{
		{"read by name", "GET", "/v1/jobs", "localhost:4646", nil, "", 200},
		{"read by IPv6", "GET", "/v1/jobs", "[::1]:4646", nil, "", 200},
		{"read under localhost", "GET", "/v1/jobs", "serai.localhost", nil, "", 200},
		{"configured name", "GET", "/v1/jobs", "serai.example:4646", nil, "", 200},
		{"rebound name", "GET", "/v1/jobs", "evil.example:4646", nil, "", 421},
		{"rebound name that ends right", "GET", "/v1/jobs", "notlocalhost", nil, "", 421},
		{"foreign address", "GET", "/v1/jobs", "10.0.0.1:4646", nil, "", 421},
		{"own origin writes", "PUT", "/v1/jobs", own, map[string]string{"Origin": "http://" + own}, "{}", 200},
		{"no origin writes", "PUT", "/v1/jobs", own, nil, "{}", 200},
		{"foreign origin reads", "GET", "/v1/jobs", own, map[string]string{"Origin": "http://evil.example"}, "", 200},
		{"foreign origin writes", "PUT", "/v1/jobs", own, map[string]string{"Origin": "http://evil.example"}, "{}", 403},
		{"other port writes", "PUT", "/v1/jobs", own, map[string]string{"Origin": "http://127.0.0.1:8080"}, "{}", 403},
		{"null origin writes", "POST", "/v1/jobs", own, map[string]string{"Origin": "null"}, "{}", 403},
		{"allowed origin writes", "PUT", "/v1/jobs", own, map[string]string{"Origin": "https://ui.example"}, "{}", 200},
		{"cross-site write without origin", "DELETE", "/v1/job/x", own, map[string]string{"Sec-Fetch-Site": "cross-site"}, "", 403},
		{"same-origin write", "DELETE", "/v1/job/x", own, map[string]string{"Sec-Fetch-Site": "same-origin"}, "", 200},
		{"GET with effects from elsewhere", "GET", "/v1/client/gc", own, map[string]string{"Origin": "http://evil.example"}, "", 403},
		{"WebSocket from elsewhere", "GET", "/v1/x/exec", own, map[string]string{"Origin": "http://evil.example", "Upgrade": "websocket"}, "", 403},
		{"plain text body", "POST", "/v1/jobs", own, map[string]string{"Content-Type": "text/plain"}, "{}", 415},
		{"multipart body", "POST", "/v1/jobs", own, map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, "{}", 415},
		{"curl's default", "POST", "/v1/jobs", own, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "{}", 200},
		{"a form of a page", "POST", "/v1/jobs", own, map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example"}, "{}", 403},
		{"compressed body", "PUT", "/v1/jobs", own, map[string]string{"Content-Encoding": "gzip"}, "x", 415},
	} {
		reached := false
		h := Guard{
			Loopback: true, AllowedHosts: []string{"serai.example"}, AllowedOrigins: []string{"https://ui.example"},
			Changes: func(r *http.Request) bool { return r.URL.Path == "/v1/client/gc" },
		}.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Host = c.host
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || reached != (c.status == 200) {
			t.Errorf("%s: status %d (reached %v), want %d", c.name, w.Code, reached, c.status)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", c.name)
		}
	}
	open := Guard{}.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "any.example"
	w := httptest.NewRecorder()
	if open.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("a listener that is not on loopback asked for a Host: %d", w.Code)
	}
}

// unread fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read before it was refused")
	return 0, io.EOF
}
func (unread) Close() error { return nil }

func TestLargeBodyIsRefusedUnread(t *testing.T) {
	h := Bodies(10, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was reached") }))
	r := httptest.NewRequest("PUT", "/v1/jobs", nil)
	r.Body, r.ContentLength = unread{t}, 11
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 413 || w.Header().Get("Connection") != "close" {
		t.Errorf("status %d, Connection %q", w.Code, w.Header().Get("Connection"))
	}
}

func TestChunkedBodyEndsAtTheLimit(t *testing.T) {
	var got int64
	var err error
	h := Bodies(10, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, err = io.Copy(io.Discard, r.Body) }))
	r := httptest.NewRequest("PUT", "/v1/jobs", strings.NewReader(strings.Repeat("x", 1000)))
	r.ContentLength = -1
	h.ServeHTTP(httptest.NewRecorder(), r)
	var large *http.MaxBytesError
	if got != 10 || !errors.As(err, &large) {
		t.Errorf("read %d bytes, %v", got, err)
	}
}

func TestJSONDepth(t *testing.T) {
	for text, ok := range map[string]bool{
		strings.Repeat("[", 5) + strings.Repeat("]", 5):    true,
		strings.Repeat("[", 6):                             false,
		strings.Repeat(`{"a":`, 6):                         false,
		`"` + strings.Repeat("[", 100) + `"`:               true,
		`"\"` + strings.Repeat("{", 100) + `"`:             true,
		strings.Repeat("[]", 100):                          true,
		`["\\"` + strings.Repeat("[", 5):                   false,
		strings.Repeat("[1,", 4) + strings.Repeat("]", 20): true,
	} {
		_, err := io.Copy(io.Discard, JSONDepth(strings.NewReader(text), 5))
		if (err == nil) != ok || err != nil && !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
}

// FuzzJSONDepth: what passes must be what came in.
func FuzzJSONDepth(f *testing.F) {
	f.Add([]byte(`{"a":[1,"\"["]}`), 3)
	f.Fuzz(func(t *testing.T, data []byte, max int) {
		got, err := io.ReadAll(JSONDepth(bytes.NewReader(data), max))
		if err == nil && !bytes.Equal(got, data) {
			t.Errorf("%q became %q", data, got)
		}
	})
}

func TestConnectionsOfOneClient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	s.Listener.Close()
	s.Listener = Limit(l, 2)
	s.Start()
	defer s.Close()
	ask := func(conn net.Conn) int {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return 0
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0
		}
		return resp.StatusCode
	}
	var open []net.Conn
	for i, want := range []int{200, 200, 429} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open = append(open, conn)
		if got := ask(conn); got != want && !(want == 429 && got == 0) { // the answer may be lost with the connection
			t.Errorf("connection %d: status %d, want %d", i+1, got, want)
		}
	}
	open[0].Close()
	for { // the listener notices the end in its own time
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got := ask(conn)
		conn.Close()
		if got == 200 {
			return
		}
	}
}
