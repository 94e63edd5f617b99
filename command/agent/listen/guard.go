package listen

import (
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Guard refuses requests that a web page of somebody else may have caused: a
// browser lets any page send requests to this agent, and by DNS rebinding even
// read the answers.
type Guard struct {
	Loopback       bool     // the listener is on loopback: only loopback names in Host
	AllowedHosts   []string // further Host names; "*" allows all
	AllowedOrigins []string // foreign Origins that may change state
	// Changes says that a GET request has effects.
	Changes func(r *http.Request) bool
}

// Wrap puts the guard before a handler.
func (g Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !g.hostAllowed(r.Host) {
			refuse(w, http.StatusMisdirectedRequest,
				"this agent does not answer for host "+quote(r.Host)+"; use a loopback name or add it to limits.http_allowed_hosts")
			return
		}
		if g.changes(r) {
			if why := g.foreign(r); why != "" {
				refuse(w, http.StatusForbidden, "a request from another web site may not change state ("+why+
					"); add the origin to limits.http_allowed_origins to allow it")
				return
			}
			if kind, ok := plainForm(r); ok {
				refuse(w, http.StatusUnsupportedMediaType, "request bodies must be application/json, not "+kind)
				return
			}
		}
		if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
			refuse(w, http.StatusUnsupportedMediaType, "request bodies must not be compressed")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g Guard) hostAllowed(hostport string) bool {
	if !g.Loopback || hostport == "" || slices.Contains(g.AllowedHosts, "*") {
		return true
	}
	host := strings.ToLower(strings.TrimSuffix(hostOf(hostport), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || slices.Contains(g.AllowedHosts, host)
	}
	return slices.ContainsFunc(g.AllowedHosts, func(a string) bool { return strings.EqualFold(a, host) })
}

// changes says whether the request can have effects: it writes, or opens a
// session in which things can be done.
func (g Guard) changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header.Get("Upgrade") != "" || g.Changes != nil && g.Changes(r)
	}
	return true
}

// foreign says what shows that another web site caused the request; empty when
// nothing does.
func (g Guard) foreign(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != "" {
		if slices.Contains(g.AllowedOrigins, origin) {
			return ""
		}
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return "Origin " + quote(origin)
		}
		return ""
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "cross-site", "same-site":
		return "Sec-Fetch-Site " + quote(site)
	}
	return ""
}

// plainForm finds the kinds of body that a page may send anywhere without
// asking first. Forms in URL encoding pass, because curl -d sends that kind;
// a browser adds an Origin to those, which foreign looks at.
func plainForm(r *http.Request) (string, bool) {
	kind := r.Header.Get("Content-Type")
	if kind == "" || r.ContentLength == 0 {
		return "", false
	}
	media, _, err := mime.ParseMediaType(kind)
	if err != nil {
		return quote(kind), true
	}
	return media, media == "text/plain" || media == "multipart/form-data"
}

func hostOf(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}

func quote(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s) + `"`
}

func refuse(w http.ResponseWriter, status int, text string) {
	http.Error(w, text, status)
}
