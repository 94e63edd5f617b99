package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"html"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Prefix is where the UI is.
const Prefix = "/ui/"

// nonceMark stands in index.html where each answer has a nonce of its own.
const nonceMark = "__NONCE__"

// UI answers requests for the web UI.
type UI struct {
	files fs.FS
	index []byte // empty where the UI was not built
	off   bool
}

// Options are the parts of the agent's configuration that concern the UI.
type Options struct {
	Enabled bool // else it only says that it is turned off
	// Label is a text that tells clusters apart, with its colours in CSS.
	Label, LabelBackground, LabelColor string
}

// labelMark stands in index.html where the label goes.
const labelMark = "__LABEL__"

// New makes the handler of the UI that files hold.
func New(files fs.FS, o Options) *UI {
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		index = nil
	}
	label, _ := json.Marshal([]string{o.Label, o.LabelBackground, o.LabelColor})
	index = bytes.ReplaceAll(index, []byte(labelMark), []byte(html.EscapeString(string(label))))
	return &UI{files: files, index: index, off: !o.Enabled}
}

// ServeHTTP answers a request below Prefix: a file of the UI, or its page for
// every address that the page itself knows how to show.
func (u *UI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Invalid method", http.StatusMethodNotAllowed)
		return
	}
	protect(w.Header())
	name := strings.TrimPrefix(r.URL.Path, Prefix)
	switch {
	case u.off:
		u.notice(w, http.StatusNotFound, turnedOff)
	case len(u.index) == 0:
		u.notice(w, http.StatusOK, notBuilt)
	case r.URL.Path == strings.TrimSuffix(Prefix, "/"):
		http.Redirect(w, r, Prefix, http.StatusTemporaryRedirect)
	case strings.HasPrefix(name, "assets/") || path.Ext(name) == ".svg" && !strings.Contains(name, "/"):
		u.file(w, r, name)
	default:
		u.page(w)
	}
}

// protect sets what holds for every answer.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// page sends index.html. It may run the scripts of this agent and no others,
// nothing that stands in the page itself, and it may talk to this agent alone.
// The nonce is for style elements that the editor and the terminal make.
func (u *UI) page(w http.ResponseWriter) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"'; font-src 'self'; "+
		"img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "+
		"frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	body := bytes.ReplaceAll(u.index, []byte(nonceMark), []byte(nonce))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// encodings are those in which files are held, the better one first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// file sends a file in the best form that the caller takes. What is under
// assets/ has its digest in its name, and so never changes.
func (u *UI) file(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("Vary", "Accept-Encoding")
	if path.Ext(name) == ".js" { // a worker obeys the policy that its own script came with
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	}
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	for _, e := range encodings {
		if !accepts(r, e.name) {
			continue
		}
		if data, err := fs.ReadFile(u.files, name+e.suffix); err == nil {
			h.Set("Content-Encoding", e.name)
			send(w, data)
			return
		}
	}
	if data, err := u.plain(name); err == nil {
		send(w, data)
		return
	}
	h.Del("Cache-Control")
	http.Error(w, "no such file of the web UI; reload the page, the agent may have been upgraded", http.StatusNotFound)
}

// plain gives a file as it is.
func (u *UI) plain(name string) ([]byte, error) {
	if data, err := fs.ReadFile(u.files, name); err == nil {
		return data, nil
	}
	data, err := fs.ReadFile(u.files, name+".gz")
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zip)
}

func send(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
}

func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}

// notice sends a page that stands alone.
func (u *UI) notice(w http.ResponseWriter, status int, text string) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.ReplaceAll(strings.ReplaceAll(frame, nonceMark, nonce), "__TEXT__", text))
}

const notBuilt = `<p>This agent works, but its binary was built without the web UI: build it with <code>make build</code> where Node.js 20 or newer is installed.</p>`

const turnedOff = `<p>This agent works, and its web UI is turned off: <code>ui { enabled = false }</code> in its configuration.</p>`

const frame = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>serai</title>
<style nonce="__NONCE__">
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
code { background: #8882; padding: .1em .3em; border-radius: 3px; }
</style>
<h1>serai</h1>
__TEXT__
<p>Use the command line, <code>serai status</code>, or the HTTP API under <code>/v1/</code>, for example
<a href="/v1/jobs?pretty">/v1/jobs</a>, <a href="/v1/nodes?pretty">/v1/nodes</a> and
<a href="/v1/agent/health?pretty">/v1/agent/health</a>; <a href="/v1/openapi.json">/v1/openapi.json</a> describes it all.</p>
</html>
`
