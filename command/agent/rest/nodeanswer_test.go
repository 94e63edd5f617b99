package rest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
)

// TestANodeThatLies has the agent of a node answer as no agent would. Nothing of
// it reaches who asked a server.
func TestANodeThatLies(t *testing.T) {
	var answer http.HandlerFunc
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	t.Cleanup(node.Close)
	p := (&API{Config: Config{Headers: map[string]string{"X-Own": "server's"}}}).proxy("the agent of the node", func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", strings.TrimPrefix(node.URL, "http://")
	}, fromNode)
	p.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
	ask := func(what http.HandlerFunc) *http.Response {
		answer = what
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/client/fs/cat/x", nil))
		return w.Result()
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		resp := ask(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(status)
		})
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Location") != "" {
			t.Errorf("%d: %d %v", status, resp.StatusCode, resp.Header)
		}
	}
	for _, kind := range []string{"text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/json, text/html", "", "nonsense;;"} {
		resp := ask(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h["Content-Type"] = []string{kind}
			for _, name := range []string{"Set-Cookie", "Refresh", "Link", "Access-Control-Allow-Origin", "Clear-Site-Data", "Service-Worker-Allowed", "Strict-Transport-Security", "Www-Authenticate", "X-Own", "X-Frame-Options"} {
				h.Set(name, "evil")
			}
			h.Set("Content-Security-Policy", "default-src *")
			h.Set("X-Nomad-Index", "7")
			h.Set("Trailer", "Set-Cookie")
			_, _ = w.Write([]byte("<script>alert(1)</script>"))
			h.Set("Set-Cookie", "late")
		})
		if got := resp.Header.Get("Content-Type"); got != "application/octet-stream" {
			t.Errorf("%q is passed on as %q", kind, got)
		}
		if resp.Header.Get("Content-Security-Policy") != "sandbox" || resp.Header.Get("X-Nomad-Index") != "7" {
			t.Errorf("%v", resp.Header)
		}
		for name, values := range resp.Header {
			if strings.Contains(strings.Join(values, " "), "evil") {
				t.Errorf("%s of a node is passed on", name)
			}
		}
		if len(resp.Trailer["Set-Cookie"]) > 0 {
			t.Error("a trailer is passed on")
		}
	}
	resp := ask(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Unknown allocation", http.StatusNotFound) })
	if resp.StatusCode != http.StatusNotFound || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("an honest answer: %d %v", resp.StatusCode, resp.Header)
	}
}
