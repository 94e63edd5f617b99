package rest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client"
	"github.com/seraihq/serai/client/files"
)

// clientHandlers declares what is answered by the client part of the agent.
func (a *API) clientHandlers() {
	value(a, api.ClientStats, func(ctx context.Context, req *api.NodeIDRequest) (*api.HostStats, error) {
		if err := a.isNode(req.NodeID); err != nil {
			return nil, err
		}
		return a.Client.HostStats(ctx)
	})
	value(a, api.ClientGC, func(ctx context.Context, req *api.NodeIDRequest) (api.None, error) {
		if err := a.isNode(req.NodeID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.GCAll(ctx)
	})
	value(a, api.ClientMetaRead, func(_ context.Context, req *api.NodeIDRequest) (api.NodeMetaResponse, error) {
		if err := a.isNode(req.NodeID); err != nil {
			return api.NodeMetaResponse{}, err
		}
		return metaResponse(a.Client.Meta()), nil
	})
	value(a, api.ClientMetaApply, func(ctx context.Context, req *api.NodeMetaApplyRequest) (api.NodeMetaResponse, error) {
		if err := a.isNode(req.NodeID); err != nil {
			return api.NodeMetaResponse{}, err
		}
		meta, err := a.Client.ApplyMeta(ctx, req.Meta)
		return metaResponse(meta), err
	})
	value(a, api.AllocRestart, func(ctx context.Context, req *api.AllocRestartRequest) (api.None, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.Restart(ctx, req.ID, req.TaskName, req.AllTasks)
	})
	value(a, api.AllocSignal, func(ctx context.Context, req *api.AllocSignalRequest) (api.None, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.Signal(ctx, req.ID, req.Task, req.Signal)
	})
	value(a, api.AllocSuspend, func(ctx context.Context, req *api.AllocTaskRequest) (api.None, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.Suspend(ctx, req.ID, req.Task)
	})
	value(a, api.AllocResume, func(ctx context.Context, req *api.AllocTaskRequest) (api.None, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.Resume(ctx, req.ID, req.Task)
	})
	value(a, api.AllocCheckpoint, func(ctx context.Context, req *api.AllocTaskRequest) (api.None, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.Checkpoint(ctx, req.ID, req.Task)
	})
	value(a, api.AllocRestore, func(ctx context.Context, req *api.AllocTaskRequest) (api.None, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.Restore(ctx, req.ID, req.Task)
	})
	value(a, api.AllocStats, func(ctx context.Context, req *api.AllocStatsRequest) (*api.AllocResourceUsage, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return nil, err
		}
		return a.Client.AllocStats(ctx, req.ID, req.Task)
	})
	value(a, api.AllocGC, func(ctx context.Context, req *api.IDRequest) (api.None, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Client.GCAlloc(ctx, req.ID)
	})
	value(a, api.FSList, func(ctx context.Context, req *api.FSRequest) ([]*api.AllocFileInfo, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return nil, err
		}
		return a.Client.ListFiles(ctx, req.ID, root(req.Path))
	})
	value(a, api.FSStat, func(ctx context.Context, req *api.FSRequest) (*api.AllocFileInfo, error) {
		if err := a.hasAlloc(req.ID); err != nil {
			return nil, err
		}
		return a.Client.StatFile(ctx, req.ID, root(req.Path))
	})
	stream(a, api.FSCat, func(w http.ResponseWriter, r *http.Request, req *api.FSRequest) error {
		return a.sendFile(w, r, req.ID, req.Path, 0, 0)
	})
	stream(a, api.FSReadAt, func(w http.ResponseWriter, r *http.Request, req *api.FSReadAtRequest) error {
		if req.Offset < 0 || req.Limit < 0 {
			return api.Errorf(api.ErrInvalid, "offset and limit must not be negative")
		}
		return a.sendFile(w, r, req.ID, req.Path, req.Offset, req.Limit)
	})
	stream(a, api.AllocSnapshot, a.snapshot)
	stream(a, api.FSStream, a.streamFile)
	stream(a, api.FSLogs, a.logs)
	stream(a, api.AllocExec, a.exec)
	stream(a, api.JobActionRun, a.action)
}

func metaResponse(m client.NodeMeta) api.NodeMetaResponse {
	return api.NodeMetaResponse{Meta: m.Meta, Dynamic: m.Dynamic, Static: m.Static}
}

// root is the path of an allocation's directory when none is named.
func root(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// isNode says whether this agent is the node asked for.
func (a *API) isNode(id string) error {
	if a.Client == nil {
		return api.Errorf(api.ErrInvalid, "this agent runs no client, and reaching the clients of other agents is not there yet; ask the node's own agent")
	}
	if id != "" && id != a.Client.NodeID() {
		return api.Errorf(api.ErrNotFound, "Unknown node %q: it is not this agent's; ask the node's own agent", id)
	}
	return nil
}

// hasAlloc says whether this agent's client has the allocation.
func (a *API) hasAlloc(id string) error {
	if len(id) != 36 {
		return api.Errorf(api.ErrInvalid, "alloc lookup failed: UUID must be 36 characters")
	}
	if a.Client != nil && a.Client.HasAlloc(id) {
		return nil
	}
	if a.Server != nil {
		if nodeID, ok := a.Server.Locate(id); ok {
			if a.Client != nil && nodeID == a.Client.NodeID() {
				return api.Errorf(api.ErrNotFound, "allocation %s is over and its directory was collected, or it has not started yet", id)
			}
			return api.Errorf(api.ErrUnavailable, "allocation %s is on node %s, which this agent cannot reach; ask that node's own agent", id, nodeID)
		}
	}
	return api.Errorf(api.ErrNotFound, "Unknown allocation %q", id)
}

func (a *API) sendFile(w http.ResponseWriter, r *http.Request, id, path string, offset, limit int64) error {
	if err := a.hasAlloc(id); err != nil {
		return err
	}
	if path == "" {
		return api.Errorf(api.ErrInvalid, "must provide a file path")
	}
	file, err := a.Client.ReadFileAt(r.Context(), id, path, offset, limit)
	if err != nil {
		return err
	}
	defer file.Close()
	asFile(w.Header(), "text/plain; charset=utf-8")
	_, _ = io.Copy(w, file) // an error now is the reader's going away
	return nil
}

// snapshot sends an allocation's ephemeral disk. An archive that cannot be
// finished is broken off, so that nobody takes it for whole.
func (a *API) snapshot(w http.ResponseWriter, r *http.Request, req *api.AllocSnapshotRequest) error {
	if err := a.hasAlloc(req.ID); err != nil {
		return err
	}
	write, err := a.Client.Snapshot(r.Context(), req.ID, req.Wait.Std())
	if err != nil {
		return err
	}
	asFile(w.Header(), "application/x-tar")
	if err := write(w); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (a *API) streamFile(w http.ResponseWriter, r *http.Request, req *api.FSStreamRequest) error {
	if err := a.hasAlloc(req.ID); err != nil {
		return err
	}
	if req.Path == "" {
		return api.Errorf(api.ErrInvalid, "must provide a file path")
	}
	opts := files.StreamOptions{Offset: req.Offset, Origin: req.Origin, Follow: req.Follow == nil || *req.Follow}
	return sendFrames(w, req.Plain, func(send func(*api.StreamFrame) error) error {
		return a.Client.StreamFile(r.Context(), req.ID, req.Path, opts, send)
	})
}

func (a *API) logs(w http.ResponseWriter, r *http.Request, req *api.FSLogsRequest) error {
	if err := a.hasAlloc(req.ID); err != nil {
		return err
	}
	if req.Task == "" {
		return api.Errorf(api.ErrInvalid, "must provide a task name")
	}
	if req.Type != client.Stdout && req.Type != client.Stderr {
		return api.Errorf(api.ErrInvalid, "must provide a log type: \"stdout\" or \"stderr\"")
	}
	ask := client.LogsRequest{AllocID: req.ID, Task: req.Task, Type: req.Type,
		StreamOptions: files.StreamOptions{Offset: req.Offset, Origin: req.Origin, Follow: req.Follow}}
	return sendFrames(w, req.Plain, func(send func(*api.StreamFrame) error) error {
		return a.Client.Logs(r.Context(), ask, send)
	})
}

// sendFrames writes a stream of frames, or of their data alone. An error before
// the first frame is the request's.
func sendFrames(w http.ResponseWriter, plain bool, run func(send func(*api.StreamFrame) error) error) error {
	asFile(w.Header(), map[bool]string{true: "text/plain; charset=utf-8", false: "application/json"}[plain])
	out := newFlusher(w)
	encoder := json.NewEncoder(out)
	sent := false
	err := run(func(f *api.StreamFrame) error {
		sent = true
		if plain {
			if len(f.Data) == 0 {
				return nil
			}
			_, err := out.Write(f.Data)
			return err
		}
		return encoder.Encode(f)
	})
	if sent {
		return nil
	}
	return err
}
