package rest

import (
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// maxProfile bounds how long a profile is taken.
const maxProfile = 5 * time.Minute

// profile writes a profile of this process, when the configuration allows it.
func (a *API) profile(w http.ResponseWriter, r *http.Request, name string) {
	if a.Auth != nil {
		r = a.withSecret(r)
		if err := a.permit(r.Context(), profiling, &api.ListRequest{}); err != nil {
			if !auth.WrongSecret(err) || !a.guesses.slow(w, r) {
				a.fail(w, r, err)
			}
			return
		}
	}
	if !a.Debug {
		http.Error(w, "profiles are served when enable_debug = true", http.StatusNotFound)
		return
	}
	seconds, _ := strconv.Atoi(r.URL.Query().Get("seconds"))
	asFile(w.Header(), "application/octet-stream")
	switch name {
	case "profile":
		if pprof.StartCPUProfile(w) != nil {
			http.Error(w, "another CPU profile is being taken", http.StatusConflict)
			return
		}
		sleep(r, seconds, 30)
		pprof.StopCPUProfile()
	case "trace":
		if trace.Start(w) != nil {
			http.Error(w, "another trace is being taken", http.StatusConflict)
			return
		}
		sleep(r, seconds, 1)
		trace.Stop()
	default:
		p := pprof.Lookup(name)
		if p == nil {
			http.Error(w, "unknown profile; there are profile, trace, heap, allocs, goroutine, block, mutex and threadcreate", http.StatusNotFound)
			return
		}
		if collect, _ := strconv.ParseBool(r.URL.Query().Get("gc")); collect {
			runtime.GC() // what is garbage does not count
		}
		debug, _ := strconv.Atoi(r.URL.Query().Get("debug"))
		if debug > 0 {
			asFile(w.Header(), "text/plain; charset=utf-8")
		}
		_ = p.WriteTo(w, debug)
	}
}

// sleep waits for some seconds, or until the reader is gone.
func sleep(r *http.Request, seconds, fallback int) {
	if seconds <= 0 {
		seconds = fallback
	}
	t := time.NewTimer(min(time.Duration(seconds)*time.Second, maxProfile))
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}
