package webui_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seraihq/serai/command/agent/webui"
)

const script = "console.log('serai')"

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func built(t *testing.T) *webui.UI {
	t.Helper()
	return webui.New(fstest.MapFS{
		"index.html":           {Data: []byte(`<meta name="csp-nonce" nonce="__NONCE__"><meta name="label" content="__LABEL__"><div id="root">`)},
		"assets/app-abc.js.gz": {Data: zipped(t, script)},
		"assets/app-abc.js.br": {Data: []byte("as brotli")},
		"icon.svg.gz":          {Data: zipped(t, "<svg/>")},
	}, webui.Options{Enabled: true, Label: `"><script>prod`, LabelColor: "#fff"})
}

func get(t *testing.T, h http.Handler, method, path, encodings string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept-Encoding", encodings)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPageForEveryAddress(t *testing.T) {
	u := built(t)
	for _, path := range []string{"/ui/", "/ui/jobs", "/ui/jobs/default/a%2Fb.c", "/ui/index.html"} {
		w := get(t, u, "GET", path, "gzip, br")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `id="root"`) || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v %q", path, w.Code, w.Header(), w.Body)
		}
	}
	if w := get(t, u, "GET", "/ui", ""); w.Code != http.StatusTemporaryRedirect || w.Header().Get("Location") != "/ui/" {
		t.Errorf("/ui: %d %v", w.Code, w.Header())
	}
	if w := get(t, u, "POST", "/ui/jobs", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestPolicy(t *testing.T) {
	u := built(t)
	first, second := get(t, u, "GET", "/ui/", ""), get(t, u, "GET", "/ui/", "")
	policy := first.Header().Get("Content-Security-Policy")
	for _, banned := range []string{"unsafe", "http:", "https:", "*"} {
		if strings.Contains(policy, banned) {
			t.Errorf("the policy has %q: %s", banned, policy)
		}
	}
	for _, needed := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, needed) {
			t.Errorf("the policy lacks %q: %s", needed, policy)
		}
	}
	_, rest, _ := strings.Cut(first.Body.String(), `nonce="`)
	nonce, _, _ := strings.Cut(rest, `"`)
	if len(nonce) < 16 || !strings.Contains(policy, "'nonce-"+nonce+"'") {
		t.Errorf("nonce %q, policy %s", nonce, policy)
	}
	if body := first.Body.String(); strings.Contains(body, "<script>") || !strings.Contains(body, "prod") {
		t.Errorf("the label is not there, or not escaped: %s", body)
	}
	if first.Body.String() == second.Body.String() {
		t.Error("two answers have the same nonce")
	}
	if got := get(t, u, "GET", "/ui/assets/app-abc.js", "").Header().Get("Content-Security-Policy"); !strings.Contains(got, "connect-src 'self'") || strings.Contains(got, "unsafe") {
		t.Errorf("a worker's script has the policy %s", got)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
		for _, path := range []string{"/ui/", "/ui/assets/app-abc.js"} {
			if got := get(t, u, "GET", path, "").Header().Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestFilesAreSentCompressed(t *testing.T) {
	u := built(t)
	for _, c := range []struct{ accept, encoding, body string }{
		{"gzip, deflate, br", "br", "as brotli"},
		{"gzip, br;q=0", "gzip", string(zipped(t, script))},
		{"", "", script},
	} {
		w := get(t, u, "GET", "/ui/assets/app-abc.js", c.accept)
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Encoding") != c.encoding || w.Body.String() != c.body {
			t.Errorf("accept %q: %d %q %q", c.accept, w.Code, h.Get("Content-Encoding"), w.Body)
		}
		if !strings.Contains(h.Get("Cache-Control"), "immutable") || !strings.HasPrefix(h.Get("Content-Type"), "text/javascript") {
			t.Errorf("headers %v", h)
		}
	}
	if h := get(t, u, "GET", "/ui/icon.svg", "gzip").Header(); h.Get("Cache-Control") != "no-cache" || h.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("icon: %v", h)
	}
	for _, path := range []string{"/ui/assets/old-123.js", "/ui/assets/../index.html", "/ui/assets/"} {
		if w := get(t, u, "GET", path, "gzip"); w.Code == 200 && strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s is cached for ever", path)
		}
	}
}

func TestNotBuiltAndTurnedOff(t *testing.T) {
	none := webui.New(fstest.MapFS{}, webui.Options{Enabled: true})
	if w := get(t, none, "GET", "/ui/jobs", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "built without the web UI") {
		t.Errorf("not built: %d %s", w.Code, w.Body)
	}
	off := webui.New(fstest.MapFS{"index.html": {Data: []byte("page")}}, webui.Options{})
	if w := get(t, off, "GET", "/ui/", ""); w.Code != 404 || !strings.Contains(w.Body.String(), "turned off") {
		t.Errorf("turned off: %d %s", w.Code, w.Body)
	}
}
