package rest

import (
	"net/http"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/api/openapi"
	"github.com/seraihq/serai/internal/version"
)

// other answers what is not under /v1/.
func (a *API) other(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/":
		target := "/ui/"
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	case path == "/ui" || strings.HasPrefix(path, "/ui/"):
		a.UI.ServeHTTP(w, r)
	case path == keysPath:
		a.keys(w, r)
	case path == discoveryPath:
		a.discovery(w, r)
	case strings.HasPrefix(path, "/debug/pprof/"):
		a.profile(w, r, strings.TrimPrefix(path, "/debug/pprof/"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// unbuilt lists the paths of Nomad's API that are not answered yet, by their
// beginnings, and what each belongs to.
var unbuilt = []struct{ prefix, what string }{
	{"/v1/acl/", "auth methods, binding rules and sign-in"},
	{"/v1/volumes", "volumes"},
	{"/v1/volume/", "volumes"},
	{"/v1/plugins", "CSI plugins"},
	{"/v1/plugin/", "CSI plugins"},
	{"/v1/vars", "variables"},
	{"/v1/var/", "variables"},
	{"/v1/services", "service discovery"},
	{"/v1/service/", "service discovery"},
	{"/v1/agent/host", "host facts"},
	{"/v1/agent/schedulers", "scheduler workers (serai has one planner instead)"},
	{"/v1/agent/monitor/export", "export of host logs"},
	{"/v1/operator/upgrade-check/", "upgrade checks"},
	{"/v1/client/identity", "node identities"},
	{"/v1/quota", "quotas"},
	{"/v1/sentinel/", "policies as code"},
	{"/v1/recommendation", "recommendations"},
	{"/v1/operator/utilization", "utilization reports"},
}

// unbuiltOf lists further paths by what follows the object's ID.
var unbuiltOf = []struct{ area, suffix, what string }{
	{"/v1/job/", "/action", "running actions"},
	{"/v1/allocation/", "/services", "service discovery"},
	{"/v1/allocation/", "/checks", "health checks"},
	{"/v1/client/allocation/", "/checks", "health checks"},
	{"/v1/client/allocation/", "/pause", "pausing tasks"},
}

// unbuiltBehind says what is not there yet behind an object's ID; empty when the
// path is none of that.
func unbuiltBehind(path string) string {
	for _, u := range unbuiltOf {
		if strings.HasPrefix(path, u.area) && strings.HasSuffix(path, u.suffix) {
			return u.what + ": not there yet"
		}
	}
	return ""
}

// unknown answers a path that is not in the table.
func (a *API) unknown(w http.ResponseWriter, r *http.Request, path string) {
	if path == "/v1/openapi.json" {
		if err := writeValue(w, r, openapi.New(api.Endpoints, version.String())); err != nil {
			a.fail(w, r, err)
		}
		return
	}
	if path == "/v1/operator/license" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if name, ok := strings.CutPrefix(path, "/v1/agent/pprof/"); ok {
		a.profile(w, r, name)
		return
	}
	if text := unbuiltBehind(path); text != "" {
		notThere(w, text)
		return
	}
	for _, u := range unbuilt {
		if strings.HasPrefix(path, u.prefix) {
			notThere(w, u.what+": not there yet")
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

func notThere(w http.ResponseWriter, text string) {
	http.Error(w, text, http.StatusNotImplemented)
}
