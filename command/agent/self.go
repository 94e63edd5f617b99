package agent

import (
	"net"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
)

// Region gives the agent's region.
func (a *Agent) Region() string { return a.cfg.Region }

// Health tells how the parts are.
func (a *Agent) Health() api.AgentHealthResponse {
	var h api.AgentHealthResponse
	if a.server != nil {
		state := a.server.Healthy()
		h.Server = &state
	}
	if a.client != nil {
		ok, message := a.client.Healthy()
		h.Client = &api.HealthState{Ok: ok, Message: message}
	}
	return h
}

// Leads says whether this agent's server is the leader.
func (a *Agent) Leads() bool { return a.server != nil && a.server.Leads() }

// Self tells what the agent is and has.
func (a *Agent) Self() api.AgentSelfResponse {
	s := api.AgentSelfResponse{Config: a.config(), Stats: map[string]map[string]string{"runtime": runtimeStats()}}
	if a.server != nil {
		s.Member = *a.server.Member()
		for k, v := range a.server.Stats() {
			s.Stats[k] = v
		}
	}
	if a.client != nil {
		s.Stats["client"] = a.client.Stats()
	}
	return s
}

// config gives the configuration in the shape that Nomad's clients know.
func (a *Agent) config() map[string]any {
	c, _ := plain(reflect.ValueOf(*a.cfg)).(map[string]any)
	c["Version"] = map[string]any{"Version": version.Compatible, "Revision": version.Revision(), "Serai": version.String()}
	c["AdvertiseAddrs"] = map[string]any{"HTTP": a.httpAdvertise(), "RPC": a.rpcAddress(), "Serf": ""}
	c["Telemetry"] = plain(reflect.ValueOf(a.cfg.Telemetry))
	delete(c, "Unused")
	return c
}

// httpAdvertise is where others reach the HTTP API.
func (a *Agent) httpAdvertise() string {
	listens := a.http.Address()
	host := a.cfg.Advertise.HTTP
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	if host == "" {
		host = a.cfg.Reachable(listens.IP)
	}
	return net.JoinHostPort(host, strconv.Itoa(listens.Port))
}

// plain turns a configuration into maps, without anything that may be secret.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out[f.Name] = plain(v.Field(i))
			}
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			if secretName(k.String()) {
				out[k.String()] = "<redacted>"
			} else {
				out[k.String()] = plain(v.MapIndex(k))
			}
		}
		return out
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	}
	return v.Interface()
}

// secretName finds the keys of free maps (plugin options, headers, meta) whose
// values are not for everybody.
func secretName(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"secret", "token", "password", "passwd", "credential", "auth", "private", "api_key", "apikey"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

func runtimeStats() map[string]string {
	return map[string]string{
		"arch": runtime.GOARCH, "kernel.name": runtime.GOOS, "version": runtime.Version(),
		"max_procs": strconv.Itoa(runtime.GOMAXPROCS(0)), "cpu_count": strconv.Itoa(runtime.NumCPU()),
		"goroutines": strconv.Itoa(runtime.NumGoroutine()), "pid": strconv.Itoa(os.Getpid()),
	}
}
