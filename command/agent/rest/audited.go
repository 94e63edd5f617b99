package rest

import (
	"net/http"
	"strings"

	"github.com/seraihq/serai/command/agent/audit"
)

// Audited writes down in log what next, which leads to this API, is asked. A nil
// log writes nothing.
func (a *API) Audited(log *audit.Log, who audit.Who, next http.Handler) http.Handler {
	if log == nil {
		return next
	}
	return log.Handler(audit.Caller{Who: who, Secret: secretOf, Endpoint: a.auditable, Hops: hopsHeader}, next)
}

// auditable gives the path of a request as the audit log may show it; empty for
// the files of the web UI. In a path that is none of the API there may be
// anything.
func (a *API) auditable(r *http.Request) string {
	path := r.URL.EscapedPath()
	switch {
	case path == "/" || path == "/ui" || strings.HasPrefix(path, "/ui/"):
		return ""
	case a.router.Route(method(r), path).Known, strings.HasPrefix(path, "/debug/pprof/"), strings.HasPrefix(path, "/v1/agent/pprof/"):
		return loggable(r.URL.Path)
	}
	const start = 24
	if len(path) > start {
		path = path[:start] + "…"
	}
	return path
}
