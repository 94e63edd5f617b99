package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/server/consensus"
)

// Config is what New needs.
type Config struct {
	Target   Target
	Interval time.Duration // between two snapshots; at least a second
	Retain   int           // how many of the cluster are kept; 0: all
	// Save writes a snapshot of everything that was acknowledged before the call.
	Save    func(ctx context.Context, w io.Writer) error
	Scratch string // directory for a snapshot that is being made; the system's when empty
	// Whole has snapshots read as a restore would before they are kept, which
	// takes as much memory as the state; else their digests are checked.
	Whole  bool
	Logger *slog.Logger
}

// Runner saves snapshots. See the package comment.
type Runner struct {
	Config
	cluster string    // short ID, empty before the first snapshot
	last    time.Time // when the newest snapshot of the target was made, as far as known
}

// New makes a runner.
func New(c Config) *Runner { return &Runner{Config: c} }

// retry is how long it rests when a snapshot was not kept, or somebody else
// writes: no longer than the interval.
const retry = 30 * time.Second

// Run saves until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	r.Logger.Info("snapshots are saved by the clock", "target", r.Target.String(), "interval", r.Interval, "retain", r.Retain)
	for {
		wait := r.Interval
		saved, err := r.Once(ctx, false)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrBusy):
			wait = min(retry, r.Interval)
		case err != nil:
			telemetry.Count(1, "nomad", "snapshot", "failed")
			r.Logger.Error("no snapshot was saved, it is tried again", "target", r.Target.String(), "err", err)
			wait = min(retry, r.Interval)
		case saved == nil:
			wait = min(max(time.Until(r.last.Add(r.Interval)), time.Second), r.Interval)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// Once saves a snapshot if one is due, or in any case when forced. It gives nil
// when none was due.
func (r *Runner) Once(ctx context.Context, forced bool) (*Saved, error) {
	start := time.Now()
	release, err := r.Target.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if r.cluster != "" && !forced {
		if due, err := r.due(ctx); err != nil || !due {
			return nil, err
		}
	}
	file, err := os.CreateTemp(r.Scratch, "serai-snapshot-")
	if err != nil {
		return nil, fmt.Errorf("save snapshot: %w", err)
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("save snapshot: %w", err)
	}
	digest := sha256.New()
	if err := r.Save(ctx, io.MultiWriter(file, digest)); err != nil {
		return nil, fmt.Errorf("save snapshot: %w", err)
	}
	in, size, err := r.verify(file)
	if err != nil {
		return nil, err
	}
	first := r.cluster == ""
	r.cluster = shortCluster(in.Cluster)
	if first && !forced {
		if due, err := r.due(ctx); err != nil || !due {
			return nil, err
		}
	}
	s := Saved{Cluster: r.cluster, Time: in.Time, Index: in.Index}
	if err := r.Target.Put(ctx, s.Name(), file, size, [32]byte(digest.Sum(nil))); err != nil {
		return nil, err
	}
	r.last = s.Time
	telemetry.Count(1, "nomad", "snapshot", "saved")
	telemetry.Since(start, "nomad", "snapshot", "save")
	r.Logger.Info("snapshot saved", "target", r.Target.String(), "name", s.Name(), "bytes", size, "index", s.Index)
	return &s, r.prune(ctx)
}

// due says whether the newest snapshot of the cluster is old enough.
func (r *Runner) due(ctx context.Context) (bool, error) {
	names, err := r.Target.Names(ctx)
	if err != nil {
		return false, err
	}
	list := of(r.cluster, names)
	if len(list) == 0 {
		return true, nil
	}
	newest := list[len(list)-1].Time
	if newest.After(time.Now().Add(r.Interval)) {
		return true, nil // the clock was wrong when it was made
	}
	r.last = newest
	// Names have whole seconds.
	return time.Since(newest)+time.Second >= r.Interval, nil
}

// verify reads a snapshot to its end, and sets the file back to its beginning.
func (r *Runner) verify(file *os.File) (m consensus.Metadata, size int64, err error) {
	size, err = file.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil && r.Whole {
		var in consensus.Inspection
		in, err = consensus.ReadBackup(file, nil)
		m = in.Metadata
	} else if err == nil {
		m, err = consensus.CheckBackup(file)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return m, 0, fmt.Errorf("check the saved snapshot: %w", err)
	}
	return m, size, nil
}

// prune removes the oldest snapshots of the cluster beyond those to keep.
func (r *Runner) prune(ctx context.Context) error {
	if r.Retain <= 0 {
		return nil
	}
	names, err := r.Target.Names(ctx)
	if err != nil {
		return err
	}
	list := of(r.cluster, names)
	for _, s := range list[:max(0, len(list)-r.Retain)] {
		if err := r.Target.Remove(ctx, s.Name()); err != nil {
			return fmt.Errorf("remove the old snapshot %s: %w", s.Name(), err)
		}
		r.Logger.Info("old snapshot removed", "target", r.Target.String(), "name", s.Name())
	}
	return nil
}
