package steps

import (
	"context"
	"sync"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/client/logs"
)

// Defaults of a logs block, for tasks that have none.
const (
	defaultLogFiles  = 10
	defaultLogFileMB = 10
)

// Kinds of output.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Logs makes the FIFOs that a task writes to, and carries what comes out of
// them to files. It is one task's own: make one with new.
type Logs struct {
	mu      sync.Mutex // guards streams
	streams map[string]*logs.Stream
}

// Name implements Step.
func (*Logs) Name() string { return "logs" }

// Up implements Step. Logs that cannot be read never keep a task from running
// on: then that is only told.
func (l *Logs) Up(_ context.Context, in *In) (Result, error) {
	cfg := in.Task.LogConfig
	if (cfg != nil && cfg.Disabled) || in.Driver.Abilities.DisableLogCollection {
		return nil, nil
	}
	maxFiles, maxMB := defaultLogFiles, defaultLogFileMB
	if cfg != nil && cfg.MaxFiles > 0 && cfg.MaxFileSizeMB > 0 {
		maxFiles, maxMB = cfg.MaxFiles, cfg.MaxFileSizeMB
	}
	uid, gid := owner(in)
	for _, kind := range []string{Stdout, Stderr} {
		s, err := in.Logs.Open(logs.Config{
			Dir: in.Dir, Task: in.Task.Name, Kind: kind,
			MaxFiles: maxFiles, MaxFileSize: int64(maxMB) << 20, UID: max(0, uid), GID: max(0, gid),
			Tell: func(text string) {
				in.tell(&api.TaskEvent{Type: api.TaskDriverMessage, DriverMessage: text, DisplayMessage: text, Details: map[string]string{"driver_message": text}})
			},
		})
		if err != nil && in.Restored {
			in.Logger.Warn("the output of a running task cannot be read any more", "task", in.Task.Name, "stream", kind, "err", err)
			continue
		}
		if err != nil {
			l.Release()
			return nil, err
		}
		l.mu.Lock()
		if l.streams == nil {
			l.streams = map[string]*logs.Stream{}
		}
		l.streams[kind] = s
		l.mu.Unlock()
	}
	return Result{"collected": "true"}, nil
}

// Down implements Step: what the task wrote is read to its end.
func (l *Logs) Down(_ context.Context, in *In, out Result) error {
	l.Release()
	if out["collected"] == "" {
		return nil
	}
	root, err := files.Open(in.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, kind := range []string{Stdout, Stderr} {
		// One that the task removed itself is no matter.
		_ = root.Remove(logs.FIFOName(in.Task.Name, kind))
	}
	return nil
}

// Release implements Releaser: it reads what is there and stops.
func (l *Logs) Release() {
	l.mu.Lock()
	streams := l.streams
	l.streams = nil
	l.mu.Unlock()
	for _, s := range streams {
		s.Close()
	}
}

// Stream gives the stream that carries a kind of output now; nil when none does.
func (l *Logs) Stream(kind string) *logs.Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streams[kind]
}

// Stats gives what became of the task's output.
func (l *Logs) Stats() (total logs.Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.streams {
		st := s.Stats()
		total.Written += st.Written
		total.Dropped += st.Dropped
	}
	return total
}
