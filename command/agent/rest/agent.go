package rest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/monitor"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/jobspec"
)

// eventHeartbeat is how often a quiet event stream shows that it lives.
const eventHeartbeat = 30 * time.Second

// agentHandlers declares what the agent answers of itself.
func (a *API) agentHandlers() {
	value(a, api.JobsParse, a.parse)
	value(a, api.StatusLeader, func(context.Context, *api.ListRequest) (string, error) {
		if err := a.needServer(); err != nil {
			return "", err
		}
		return a.Server.Leader(), nil
	})
	value(a, api.StatusPeers, func(context.Context, *api.ListRequest) ([]string, error) {
		if err := a.needServer(); err != nil {
			return nil, err
		}
		return a.Server.Peers(), nil
	})
	value(a, api.RegionsList, func(context.Context, *api.ListRequest) ([]string, error) {
		return []string{a.Agent.Region()}, nil
	})
	value(a, api.AgentSelf, func(context.Context, *api.ListRequest) (api.AgentSelfResponse, error) {
		return a.Agent.Self(), nil
	})
	value(a, api.AgentMembers, func(context.Context, *api.ListRequest) (api.ServerMembers, error) {
		if err := a.needServer(); err != nil {
			return api.ServerMembers{}, err
		}
		return a.Server.Members(), nil
	})
	value(a, api.AgentServers, func(context.Context, *api.ListRequest) ([]string, error) {
		switch {
		case a.Servers != nil:
			return a.Servers.Servers(), nil
		case a.Server == nil:
			return []string{}, nil
		}
		return a.Server.Peers(), nil
	})
	value(a, api.AgentReload, func(context.Context, *api.WriteRequest) (api.None, error) {
		return api.None{}, a.Agent.Reload()
	})
	a.operatorHandlers()
	value(a, api.RaftConfigRead, func(context.Context, *api.ListRequest) (api.RaftConfiguration, error) {
		if err := a.needServer(); err != nil {
			return api.RaftConfiguration{}, err
		}
		return a.Server.RaftConfiguration()
	})
	a.streams[api.AgentHealth.Endpoint] = func(w http.ResponseWriter, r *http.Request, req any) error {
		return a.health(w, r, req.(*api.AgentHealthRequest))
	}
	stream(a, api.Metrics, a.metrics)
	stream(a, api.AgentMonitor, a.monitor)
	stream(a, api.EventStream, a.events)
	stream(a, api.SnapshotSave, a.snapshotSave)
	stream(a, api.SnapshotRestore, a.snapshotRestore)
}

func (a *API) needServer() error {
	if a.Server == nil {
		return api.Errorf(api.ErrUnavailable, "this agent is no server; ask an agent with `server { enabled = true }`")
	}
	return nil
}

func (a *API) parse(ctx context.Context, req *api.JobsParseRequest) (*api.Job, error) {
	if req.JobHCL == "" {
		return nil, api.Errorf(api.ErrInvalid, "Job spec is empty")
	}
	src := jobspec.Source{Name: "input.hcl", Data: []byte(req.JobHCL)}
	if req.Variables != "" {
		src.VarFiles = []jobspec.VarFile{{Name: "input.vars", Data: []byte(req.Variables)}}
	}
	result, err := jobspec.Parse(ctx, src)
	if err != nil {
		if errors.Is(err, api.ErrInvalid) || errors.Is(err, api.ErrTooLarge) {
			return nil, err
		}
		return nil, api.Errorf(api.ErrInvalid, "%v", err)
	}
	return result.Job, nil
}

func (a *API) health(w http.ResponseWriter, r *http.Request, req *api.AgentHealthRequest) error {
	health := a.Agent.Health()
	switch req.Type {
	case "":
	case "server":
		health.Client = nil
	case "client":
		health.Server = nil
	case "leader":
		return a.leads(w, r)
	default:
		return api.Errorf(api.ErrInvalid, "type %q: must be \"server\", \"client\" or \"leader\"", req.Type)
	}
	if bad := func(s *api.HealthState) bool { return s != nil && !s.Ok }; bad(health.Server) || bad(health.Client) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		return json.NewEncoder(w).Encode(health)
	}
	return writeValue(w, r, health)
}

// leads answers load balancers that want the leader alone; serai's own.
func (a *API) leads(w http.ResponseWriter, r *http.Request) error {
	state := api.HealthState{Ok: a.Agent.Leads(), Message: "ok"}
	if !state.Ok {
		state.Message = "this agent does not lead"
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		return json.NewEncoder(w).Encode(api.AgentHealthResponse{Server: &state})
	}
	return writeValue(w, r, api.AgentHealthResponse{Server: &state})
}

func (a *API) metrics(w http.ResponseWriter, r *http.Request, req *api.MetricsRequest) error {
	if req.Format == "prometheus" {
		w.Header().Set("Content-Type", telemetry.PrometheusContentType)
		ok, err := a.Telemetry.WritePrometheus(w)
		if !ok && err == nil {
			return api.Errorf(api.ErrInvalid, "Prometheus is not enabled; set prometheus_metrics = true in the telemetry block")
		}
		return err
	}
	if req.Format != "" {
		return api.Errorf(api.ErrInvalid, "format %q: must be \"prometheus\" or absent", req.Format)
	}
	summary, err := a.Telemetry.Summary()
	if err != nil {
		return err
	}
	return writeValue(w, r, summary)
}

// monitor follows the agent's log.
func (a *API) monitor(w http.ResponseWriter, r *http.Request, req *api.AgentMonitorRequest) error {
	if req.NodeID != "" && (a.Client == nil || req.NodeID != a.Client.NodeID()) {
		return api.Errorf(api.ErrNotFound, "node %q is not this agent; ask that agent itself", req.NodeID)
	}
	level, err := monitor.ParseLevel(req.LogLevel)
	if err != nil {
		return api.Errorf(api.ErrInvalid, "log_level: %v", err)
	}
	asFile(w.Header(), map[bool]string{true: "text/plain; charset=utf-8", false: "application/json"}[req.Plain])
	out := newFlusher(w)
	if _, err := out.Write(nil); err != nil {
		return nil
	}
	a.Logs.Follow(r.Context(), level, req.LogJSON, func(line []byte) error {
		if req.Plain {
			_, err := out.Write(line)
			return err
		}
		return json.NewEncoder(out).Encode(api.StreamFrame{Data: line})
	})
	return nil
}

// events follows the changes of the cluster's state.
func (a *API) events(w http.ResponseWriter, r *http.Request, req *api.EventStreamRequest) error {
	if err := a.needServer(); err != nil {
		return err
	}
	next, err := a.Server.Events(r.Context(), req)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	out := newFlusher(w)
	if _, err := out.Write(nil); err != nil {
		return nil
	}
	encoder := json.NewEncoder(out)
	for {
		wait, cancel := context.WithTimeout(r.Context(), eventHeartbeat)
		events, err := next(wait)
		cancel()
		switch {
		case r.Context().Err() != nil:
			if err := refusal(r.Context()); err != nil {
				_ = encoder.Encode(map[string]string{"Error": err.Error()})
			}
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			_, err = io.WriteString(out, "{}\n")
		case err != nil:
			_ = encoder.Encode(map[string]string{"Error": err.Error()})
			return nil
		default:
			err = encoder.Encode(events)
		}
		if err != nil {
			return nil // the reader is gone
		}
	}
}

func (a *API) snapshotSave(w http.ResponseWriter, r *http.Request, req *api.ListRequest) error {
	if err := a.needServer(); err != nil {
		return err
	}
	// The header carries the digest of what follows, and a snapshot that
	// breaks off half-way must not look whole: it is written aside first.
	aside, err := os.CreateTemp("", "serai-snapshot-")
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	defer aside.Close()
	if err := os.Remove(aside.Name()); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	digest := sha256.New()
	if err := a.Server.SaveSnapshot(r.Context(), io.MultiWriter(aside, digest), req.Stale); err != nil {
		return err
	}
	size, err := aside.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = aside.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.Header().Set("Digest", "sha-256="+base64.StdEncoding.EncodeToString(digest.Sum(nil)))
	_, _ = io.Copy(w, aside) // an error is that the reader is gone
	return nil
}

func (a *API) snapshotRestore(_ http.ResponseWriter, r *http.Request, req *api.SnapshotRestoreRequest) error {
	if err := a.needServer(); err != nil {
		return err
	}
	return a.Server.RestoreSnapshot(r.Context(), r.Body, req.Force)
}
