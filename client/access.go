package client

import (
	"context"
	"io"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/drivers"
)

// Outputs of a task.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// LogsRequest asks for a task's output.
type LogsRequest struct {
	AllocID string
	Task    string
	Type    string // Stdout or Stderr
	files.StreamOptions
}

// ExecRequest is a command to run in a task's surroundings.
type ExecRequest struct {
	AllocID string
	Task    string
	Command []string
	TTY     bool
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Resize  <-chan drivers.TerminalSize
}

// NodeMeta is a node's metadata: what the configuration says, what was set at
// run time (nil: unset on purpose), and the two merged.
type NodeMeta struct {
	Static  map[string]string
	Dynamic map[string]*string
	Meta    map[string]string
}

var errNoAlloc = func(id string) error {
	return api.Errorf(api.ErrNotFound, "unknown allocation %q", id)
}

// ListFiles lists a directory of an allocation. The path is relative to the
// allocation's directory.
func (c *Client) ListFiles(ctx context.Context, allocID, path string) ([]*api.AllocFileInfo, error) {
	return nil, errNoAlloc(allocID)
}

// StatFile describes a file of an allocation.
func (c *Client) StatFile(ctx context.Context, allocID, path string) (*api.AllocFileInfo, error) {
	return nil, errNoAlloc(allocID)
}

// ReadFileAt opens a regular file of an allocation from offset on; limit 0
// means to its end. The caller closes it.
func (c *Client) ReadFileAt(ctx context.Context, allocID, path string, offset, limit int64) (io.ReadCloser, error) {
	return nil, errNoAlloc(allocID)
}

// StreamFile sends a file of an allocation in frames until its end or, when
// following, until ctx ends. Errors before the first frame are about the request.
func (c *Client) StreamFile(ctx context.Context, allocID, path string, opts files.StreamOptions, send func(*api.StreamFrame) error) error {
	return errNoAlloc(allocID)
}

// Logs sends a task's output in frames. A follower's stream ends when the task
// is dead and all is sent.
func (c *Client) Logs(ctx context.Context, req LogsRequest, send func(*api.StreamFrame) error) error {
	return errNoAlloc(req.AllocID)
}

// Exec runs a command in a running task and gives its exit code. An empty task
// means the allocation's only one.
func (c *Client) Exec(ctx context.Context, req ExecRequest) (int, error) {
	return 0, errNoAlloc(req.AllocID)
}

// AllocStats measures an allocation, or one task of it.
func (c *Client) AllocStats(ctx context.Context, allocID, task string) (*api.AllocResourceUsage, error) {
	return nil, errNoAlloc(allocID)
}

// HostStats measures the node.
func (c *Client) HostStats(ctx context.Context) (*api.HostStats, error) {
	return &api.HostStats{}, nil
}

// Restart restarts one task of an allocation, or (empty) all that run; with
// allTasks also those that have ended.
func (c *Client) Restart(ctx context.Context, allocID, task string, allTasks bool) error {
	return errNoAlloc(allocID)
}

// Signal sends a signal ("SIGHUP") to one task of an allocation, or (empty) to all that run.
func (c *Client) Signal(ctx context.Context, allocID, task, signal string) error {
	return errNoAlloc(allocID)
}

// GCAlloc removes a finished allocation's directory and forgets it. One that
// is not finished is refused.
func (c *Client) GCAlloc(ctx context.Context, allocID string) error {
	return errNoAlloc(allocID)
}

// GCAll does so for all finished allocations.
func (c *Client) GCAll(ctx context.Context) error { return nil }

// Meta gives the node's metadata.
func (c *Client) Meta() NodeMeta { return NodeMeta{} }

// ApplyMeta changes the node's dynamic metadata; nil unsets a key.
func (c *Client) ApplyMeta(ctx context.Context, change map[string]*string) (NodeMeta, error) {
	return NodeMeta{}, nil
}

// NodeID gives the node's ID.
func (c *Client) NodeID() string { return "" }

// Node gives the node as it is registered; treat it as immutable.
func (c *Client) Node() *api.Node { return nil }

// HasAlloc says whether the allocation is known here, running or not yet collected.
func (c *Client) HasAlloc(allocID string) bool { return false }

// Stats tells about the client, for /v1/agent/self.
func (c *Client) Stats() map[string]string { return nil }
