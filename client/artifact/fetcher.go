package artifact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact/confine"
	"github.com/seraihq/serai/client/artifact/fetch"
	"github.com/seraihq/serai/client/files"
)

// StagingPrefix begins the names of the directories that fetches work in, in
// an allocation's directory.
const StagingPrefix = ".artifact-"

// Users of children: each fetch has one that nothing else on the host has. No
// job can name them, for they lie above what is accepted as a user.
const (
	firstUser = 0xFFFE0000
	userCount = 0xFF00
	nobody    = 65534 // where the kernel does not have so many, in a user namespace
)

// Fetcher fetches artifacts. It is safe for concurrent use.
type Fetcher struct {
	cfg    Config
	slots  chan struct{}
	users  atomic.Uint32
	noView atomic.Bool // the kernel refused mount namespaces
}

// New makes a fetcher.
func New(cfg Config) *Fetcher {
	if cfg.StallTime <= 0 {
		cfg.StallTime = defaultStall
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = defaultParallel
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Fetcher{cfg: cfg, slots: make(chan struct{}, cfg.Parallel)}
}

// Job is one fetch for a task.
type Job struct {
	Source *Source
	Dir    string // the allocation's directory on the host
	Task   string
	Index  int // of the artifact among those of the task
	// Bytes is what the allocation's disk may hold; 0: no limit.
	Bytes int64
}

// Fetched is an artifact that lies in its staging directory. Close removes what
// is left there.
type Fetched struct {
	root  *files.Root
	stage string
	file  string // the single file that it is; else a directory
	cfg   *Config
}

// Close removes the staging directory.
func (f *Fetched) Close() error {
	return errors.Join(f.root.RemoveAll(f.stage), f.root.Close())
}

// Fetch gets an artifact and leaves it in its staging directory. What a try that
// was cut off has left there is removed first.
func (f *Fetcher) Fetch(ctx context.Context, job Job) (*Fetched, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	root, err := files.Open(job.Dir)
	if err != nil {
		return nil, err
	}
	out := &Fetched{root: root, stage: StagingPrefix + job.Task + "-" + strconv.Itoa(job.Index), cfg: &f.cfg}
	if err := f.fetch(ctx, job, out); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

func (f *Fetcher) fetch(ctx context.Context, job Job, out *Fetched) error {
	uid, err := f.prepare(out)
	if err != nil {
		return fullDisk(err)
	}
	order := job.Source.Order
	order.Limits = f.limits(order.Kind, job.Bytes)
	order.OutsideLinks = f.cfg.NoInspection
	var local *os.File
	if order.Kind == fetch.Local {
		if local, err = openLocal(out.root, job); err != nil {
			return err
		}
		defer local.Close()
	}
	if order.Kind == fetch.Git {
		order.KnownHosts = knownHosts()
	}
	answer, err := f.run(ctx, child{order: order, local: local, uid: uid, work: out.hostPath("work"), root: out.hostPath("root")})
	if err != nil {
		return err
	}
	if answer.Err != "" {
		return asError(answer, job.Source)
	}
	out.file = answer.File
	return nil
}

func (f *Fetched) hostPath(name string) string { return f.root.HostPath(f.stage, name) }

// prepare makes the staging directory, and gives the user that may write in it.
func (f *Fetcher) prepare(out *Fetched) (uid int, err error) {
	if err := out.root.RemoveAll(out.stage); err != nil {
		return -1, err
	}
	if err := out.root.Mkdir(out.stage, 0o711, -1, -1); err != nil {
		return -1, err
	}
	if err := out.root.Mkdir(out.stage+"/root", 0o700, -1, -1); err != nil {
		return -1, err
	}
	if os.Geteuid() != 0 {
		return -1, out.root.Mkdir(out.stage+"/work", 0o700, -1, -1)
	}
	uid = int(firstUser + (f.users.Add(1)-1)%userCount)
	err = out.root.Mkdir(out.stage+"/work", 0o700, uid, uid)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, api.ErrInvalid) {
		uid = nobody
		err = out.root.Mkdir(out.stage+"/work", 0o700, uid, uid)
	}
	return uid, err
}

// limits bounds a fetch by the configuration and by the disk of its allocation.
func (f *Fetcher) limits(kind string, disk int64) fetch.Limits {
	l := fetch.Limits{
		Time: f.cfg.HTTPTime, Stall: f.cfg.StallTime,
		Bytes: smaller(f.cfg.HTTPBytes, disk), UnpackBytes: smaller(f.cfg.Unpack, disk), UnpackFiles: f.cfg.Files,
	}
	switch kind {
	case fetch.Git:
		l.Time = f.cfg.GitTime
	case fetch.S3:
		l.Time = f.cfg.S3Time
	}
	return l
}

// smaller gives the smaller of two limits, of which 0 is none.
func smaller(a, b int64) int64 {
	switch {
	case a <= 0:
		return b
	case b <= 0:
		return a
	}
	return min(a, b)
}

// openLocal opens a file beneath the task's directory, links followed within it.
func openLocal(root *files.Root, job Job) (*os.File, error) {
	task, err := root.Sub(job.Task)
	if err != nil {
		return nil, err
	}
	defer task.Close()
	if _, err := task.Guard("private"); err != nil && !errors.Is(err, api.ErrNotFound) {
		return nil, err
	}
	file, _, err := task.OpenFile(job.Source.Path)
	if errors.Is(err, api.ErrNotFound) {
		return nil, api.Errorf(api.ErrNotFound, "there is no such file in the task's directory, and none of the node's other files are taken")
	}
	return file, err
}

// knownHosts reads what the agent's own user knows of ssh hosts; a host that
// nobody knows is not spoken to.
func knownHosts() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	const limit = 1 << 20
	file := path.Join(home, ".ssh", "known_hosts")
	if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() || st.Size() > limit {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}

// asError makes an error of what a child has answered.
func asError(a fetch.Answer, s *Source) error {
	text := s.Redact(a.Err)
	switch a.Kind {
	case fetch.KindInvalid:
		return api.Errorf(api.ErrInvalid, "%s", text)
	case fetch.KindDenied:
		return api.Errorf(api.ErrDenied, "%s", text)
	case fetch.KindTooLarge:
		return api.Errorf(api.ErrTooLarge, "%s", text)
	}
	return errors.New(text)
}

// fullDisk says so when that is what is wrong.
func fullDisk(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("no space left on the disk of the node: %w", err)
	}
	return err
}

// spec says how a child is confined.
func (f *Fetcher) spec(c child) confine.Spec {
	s := confine.Spec{
		Work: c.work, Root: c.root, UID: c.uid, Extra: f.cfg.ExtraPaths,
		Landlock: !f.cfg.NoIsolation, View: c.uid >= 0 && !f.cfg.NoIsolation && !f.noView.Load(),
		FileBytes: max(c.order.Limits.Bytes, c.order.Limits.UnpackBytes),
	}
	if c.order.Limits.Bytes <= 0 || c.order.Limits.UnpackBytes <= 0 {
		s.FileBytes = 0
	}
	return s
}

// grace is what a child may take longer than its own limit, to say so.
const grace = 10 * time.Second
