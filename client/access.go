package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/client/logs"
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

// HasAlloc says whether the allocation is known here, running or not yet collected.
func (c *Client) HasAlloc(allocID string) bool {
	_, ok := c.lookup(allocID)
	return ok
}

// open opens an allocation's directory for readers.
func (c *Client) open(allocID string) (*files.Root, error) {
	e, ok := c.lookup(allocID)
	if !ok {
		return nil, errNoAlloc(allocID)
	}
	return e.Open()
}

// ListFiles lists a directory of an allocation. The path is relative to the
// allocation's directory.
func (c *Client) ListFiles(_ context.Context, allocID, path string) ([]*api.AllocFileInfo, error) {
	root, err := c.open(allocID)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	infos, err := root.List(path)
	if err != nil {
		return nil, err
	}
	out := make([]*api.AllocFileInfo, len(infos))
	for i, info := range infos {
		out[i] = fileInfo(info)
	}
	return out, nil
}

// StatFile describes a file of an allocation.
func (c *Client) StatFile(_ context.Context, allocID, path string) (*api.AllocFileInfo, error) {
	root, err := c.open(allocID)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(path)
	if err != nil {
		return nil, err
	}
	out := fileInfo(info)
	if info.Mode.IsRegular() {
		out.ContentType = contentType(root, path)
	}
	return out, nil
}

func fileInfo(i files.Info) *api.AllocFileInfo {
	return &api.AllocFileInfo{Name: i.Name, IsDir: i.IsDir(), Size: i.Size, FileMode: i.Mode.String(), ModTime: i.ModTime}
}

// contentType guesses what a file holds from how it begins; empty when it
// cannot be read.
func contentType(root *files.Root, path string) string {
	f, _, err := root.OpenFile(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return ""
	}
	return http.DetectContentType(head[:n])
}

// ReadFileAt opens a regular file of an allocation from offset on; limit 0
// means to its end. The caller closes it.
func (c *Client) ReadFileAt(_ context.Context, allocID, path string, offset, limit int64) (io.ReadCloser, error) {
	if offset < 0 || limit < 0 {
		return nil, api.Errorf(api.ErrInvalid, "offset and limit must not be negative")
	}
	root, err := c.open(allocID)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, _, err := root.OpenFile(path)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = 1<<63 - 1 - offset
	}
	return section{SectionReader: io.NewSectionReader(f, offset, limit), file: f}, nil
}

type section struct {
	*io.SectionReader
	file *os.File
}

func (s section) Close() error { return s.file.Close() }

// StreamFile sends a file of an allocation in frames until its end or, when
// following, until ctx ends. Errors before the first frame are about the request.
func (c *Client) StreamFile(ctx context.Context, allocID, path string, opts files.StreamOptions, send func(*api.StreamFrame) error) error {
	root, err := c.open(allocID)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Stream(ctx, path, opts, send)
}

// Logs sends a task's output in frames. A follower's stream ends when the task
// is dead and all is sent.
func (c *Client) Logs(ctx context.Context, req LogsRequest, send func(*api.StreamFrame) error) error {
	e, ok := c.lookup(req.AllocID)
	if !ok {
		return errNoAlloc(req.AllocID)
	}
	if req.Type != Stdout && req.Type != Stderr {
		return api.Errorf(api.ErrInvalid, "log type %q: must be %q or %q", req.Type, Stdout, Stderr)
	}
	group := e.Alloc().Job.LookupTaskGroup(e.Alloc().TaskGroup)
	t := group.LookupTask(req.Task)
	if t == nil {
		return api.Errorf(api.ErrNotFound, "unknown task name %q", req.Task)
	}
	if t.LogConfig != nil && t.LogConfig.Disabled {
		return api.Errorf(api.ErrInvalid, "the output of task %q is not kept: its logs block is disabled", req.Task)
	}
	root, err := e.Open()
	if errors.Is(err, api.ErrNotFound) && !e.Over() {
		return api.Errorf(api.ErrUnavailable, "task %q has not started yet: try again", req.Task)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	ask := logs.Request{Task: req.Task, Kind: req.Type, StreamOptions: req.StreamOptions}
	return logs.Copy(ctx, root, ask, e.Live(req.Task, req.Type), send)
}

// Exec runs a command in a running task and gives its exit code. An empty task
// means the allocation's only one.
func (c *Client) Exec(ctx context.Context, req ExecRequest) (int, error) {
	if c.cfg.DisableRemoteExec {
		return 0, api.Errorf(api.ErrDenied, "commands in tasks are switched off on this node (client.disable_remote_exec)")
	}
	if len(req.Command) == 0 || req.Command[0] == "" {
		return 0, api.Errorf(api.ErrInvalid, "no command given")
	}
	e, ok := c.lookup(req.AllocID)
	if !ok {
		return 0, errNoAlloc(req.AllocID)
	}
	d, id, err := e.Running(ctx, req.Task)
	if err != nil {
		return 0, err
	}
	x, ok := drivers.ExecerOf(d)
	if !ok {
		return 0, api.Errorf(api.ErrInvalid, "driver %q cannot run commands in its tasks", d.Info().Name)
	}
	if e.Suspended(req.Task) {
		return 0, api.Errorf(api.ErrInvalid, "the task is suspended: resume it first (serai alloc resume)")
	}
	result, err := x.Exec(ctx, id, drivers.ExecRequest{
		Command: req.Command, TTY: req.TTY, Stdin: req.Stdin, Stdout: req.Stdout, Stderr: req.Stderr, Resize: req.Resize,
	})
	if err != nil {
		return 0, fmt.Errorf("run %q in allocation %s: %w", req.Command[0], req.AllocID, err)
	}
	if result.Signal != 0 && result.ExitCode == 0 {
		return 128 + result.Signal, nil // as shells tell it
	}
	return result.ExitCode, nil
}

// Restart restarts one task of an allocation, or (empty) all that run; with
// allTasks also those that have ended.
func (c *Client) Restart(_ context.Context, allocID, task string, allTasks bool) error {
	e, ok := c.lookup(allocID)
	if !ok {
		return errNoAlloc(allocID)
	}
	if task != "" && allTasks {
		return api.Errorf(api.ErrInvalid, "name one task or all of them, not both")
	}
	return e.Restart(task, allTasks)
}

// Signal sends a signal ("SIGHUP") to one task of an allocation, or (empty) to all that run.
func (c *Client) Signal(ctx context.Context, allocID, task, signal string) error {
	e, ok := c.lookup(allocID)
	if !ok {
		return errNoAlloc(allocID)
	}
	if signal == "" {
		signal = "SIGKILL"
	}
	if unix.SignalNum("SIG"+strings.TrimPrefix(strings.ToUpper(signal), "SIG")) == 0 {
		return api.Errorf(api.ErrInvalid, "unknown signal %q: write it like SIGHUP", signal)
	}
	return e.Signal(ctx, task, signal)
}

// Healthy says whether the servers have heard from this node within the time
// that they gave it.
func (c *Client) Healthy() (ok bool, message string) {
	c.lastN.mu.Lock()
	contact, ttl := c.lastN.contact, c.lastN.heartbeat
	c.lastN.mu.Unlock()
	switch ago := time.Since(contact); {
	case contact.IsZero():
		return false, "the node is not registered yet"
	case ttl > 0 && ago > ttl:
		return false, fmt.Sprintf("the servers were last told that the node lives %s ago; they expect it every %s", ago.Round(time.Second), ttl)
	}
	return true, "ok"
}

// Stats tells about the client, for /v1/agent/self.
func (c *Client) Stats() map[string]string {
	c.lastN.mu.Lock()
	contact, ttl := c.lastN.contact, c.lastN.heartbeat
	c.lastN.mu.Unlock()
	last := "never"
	if !contact.IsZero() {
		last = time.Since(contact).Round(time.Millisecond).String()
	}
	return map[string]string{
		"node_id": c.id.ID, "known_servers": "1", "num_allocations": strconv.Itoa(len(c.entries())),
		"last_heartbeat": last, "heartbeat_ttl": ttl.String(),
	}
}
