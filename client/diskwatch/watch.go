package diskwatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact"
	"github.com/seraihq/serai/client/files"
)

// Every is the time between two rounds.
const Every = time.Second

const (
	// atLeast is how often an allocation is measured that gives no cause.
	atLeast = 15 * time.Second
	// A measurement may take a share of the time since the one before it: a
	// little where there is no cause, more where the file system has grown.
	calmShare, hotShare = 100, 20
	// roundTime is what the measurements of one round may take together.
	roundTime = 100 * time.Millisecond
)

// Allocation is one to be watched.
type Allocation struct {
	ID    string
	Dir   string
	Limit int64 // bytes; 0: none
}

// Excess is an allocation that takes more than it may.
type Excess struct {
	ID          string
	Used, Limit int64
	Deep        bool // it cannot be measured, for its directories are too deep
}

// Watch remembers what was measured. It is not safe for concurrent use.
type Watch struct {
	dir    string // holds the allocations' directories
	logger *slog.Logger
	now    func() time.Time
	used   func() (int64, bool) // of the file system
	held   func(of map[string]bool) map[string]int64

	deleted  map[string]int64 // held open and deleted, by allocation, at heldAt
	heldAt   time.Time
	heldTook time.Duration

	seen  map[string]*record
	last  int64 // used bytes of the file system at the last round
	grown int64 // the sum of all growth since the beginning
}

// record is what is known of one allocation.
type record struct {
	at    time.Time // of the last measurement; zero: none
	took  time.Duration
	used  int64
	grown int64 // of the file system, then
	live  bool  // named in this round
}

// New makes a watch for the allocations beneath a directory.
func New(dir string, logger *slog.Logger) *Watch {
	w := &Watch{dir: dir, logger: logger, now: time.Now, seen: map[string]*record{}}
	w.used = func() (int64, bool) {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			return 0, false
		}
		return int64(st.Blocks-st.Bfree) * st.Bsize, true
	}
	w.held = func(of map[string]bool) map[string]int64 { return held(dir, of) }
	return w
}

// Round measures the allocations whose turn it is, and gives those that take
// more than they may.
func (w *Watch) Round(ctx context.Context, all []Allocation) []Excess {
	w.look()
	now := w.now()
	due := w.due(all, now)
	w.hold(all, due, now)
	var out []Excess
	for _, a := range due {
		if ctx.Err() != nil || w.now().Sub(now) > roundTime {
			break // the others come first in the next round
		}
		if x, over := w.measure(ctx, a); over {
			out = append(out, x)
		}
	}
	return out
}

// hold looks for what is deleted and held open, when one of those that are due
// may be over its limit, and now and then.
func (w *Watch) hold(all, due []Allocation, now time.Time) {
	hot := slices.ContainsFunc(due, func(a Allocation) bool {
		r := w.seen[a.ID]
		return w.grown-r.grown >= a.Limit-r.used
	})
	pause := max(atLeast, w.heldTook*calmShare)
	if hot {
		pause = w.heldTook * hotShare
	}
	if len(due) == 0 || now.Sub(w.heldAt) < pause {
		return
	}
	of := make(map[string]bool, len(all))
	for _, a := range all {
		of[a.ID] = true
	}
	began := w.now()
	w.deleted = w.held(of)
	w.heldAt = w.now()
	w.heldTook = w.heldAt.Sub(began)
}

// look asks the file system how much it has grown.
func (w *Watch) look() {
	used, ok := w.used()
	if !ok {
		return
	}
	if w.last > 0 && used > w.last {
		w.grown += used - w.last
	}
	w.last = used
}

// due gives the allocations whose turn it is, those first that wait longest.
func (w *Watch) due(all []Allocation, now time.Time) []Allocation {
	for _, r := range w.seen {
		r.live = false
	}
	var out []Allocation
	for _, a := range all {
		r := w.seen[a.ID]
		if r == nil {
			r = &record{grown: w.grown}
			w.seen[a.ID] = r
		}
		r.live = true
		if a.Limit > 0 && r.isDue(a.Limit, w.grown, now) {
			out = append(out, a)
		}
	}
	for id, r := range w.seen {
		if !r.live {
			delete(w.seen, id)
		}
	}
	slices.SortStableFunc(out, func(a, b Allocation) int {
		return cmp.Compare(w.seen[a.ID].at.UnixNano(), w.seen[b.ID].at.UnixNano())
	})
	return out
}

func (r *record) isDue(limit, grown int64, now time.Time) bool {
	since := now.Sub(r.at)
	if grown-r.grown >= limit-r.used {
		return since >= r.took*hotShare
	}
	return since >= max(atLeast, r.took*calmShare)
}

func (w *Watch) measure(ctx context.Context, a Allocation) (Excess, bool) {
	r := w.seen[a.ID]
	began := w.now()
	used, err := usage(ctx, a.Dir)
	used += w.deleted[a.ID]
	r.at, r.grown = w.now(), w.grown
	r.took = r.at.Sub(began)
	switch {
	case errors.Is(err, files.ErrTooDeep):
		return Excess{ID: a.ID, Limit: a.Limit, Deep: true}, true
	case err != nil:
		if ctx.Err() == nil && !errors.Is(err, api.ErrNotFound) {
			w.logger.Warn("the space that an allocation takes cannot be measured", "alloc_id", a.ID, "err", err)
		}
		return Excess{}, false
	}
	r.used = used
	return Excess{ID: a.ID, Used: used, Limit: a.Limit}, used > a.Limit
}

// usage measures an allocation's directory. What is being fetched has limits of
// its own, and counts when it is in its place.
func usage(ctx context.Context, dir string) (int64, error) {
	root, err := files.Open(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	return root.Usage(ctx, func(name string) bool { return strings.HasPrefix(name, artifact.StagingPrefix) })
}
