package diskwatch

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// world is a clock, a file system that says how full it is, and allocations.
type world struct {
	*Watch
	t    *testing.T
	time time.Time
	full int64
	all  []Allocation
}

func newWorld(t *testing.T, limit int64, ids ...string) *world {
	dir := t.TempDir()
	w := &world{Watch: New(dir, slog.New(slog.DiscardHandler)), t: t, time: time.Unix(1e9, 0), full: 1 << 30}
	w.Watch.now = func() time.Time { return w.time }
	w.Watch.held = func(map[string]bool) map[string]int64 { return w.deleted }
	w.Watch.used = func() (int64, bool) { return w.full, true }
	for _, id := range ids {
		if err := os.MkdirAll(filepath.Join(dir, id, "alloc", "data"), 0o755); err != nil {
			t.Fatal(err)
		}
		w.all = append(w.all, Allocation{ID: id, Dir: filepath.Join(dir, id), Limit: limit})
	}
	return w
}

func (w *world) write(id, name string, size int) {
	w.t.Helper()
	path := filepath.Join(w.dir, id, "alloc", "data", name)
	if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o644); err != nil {
		w.t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // blocks are counted when they are given out
		w.t.Fatal(err)
	}
	w.full += int64(size)
}

// after lets time pass, and gives who is over then.
func (w *world) after(d time.Duration) string {
	w.time = w.time.Add(d)
	var over []string
	for _, x := range w.Round(w.t.Context(), w.all) {
		over = append(over, x.ID)
	}
	return strings.Join(over, " ")
}

func TestGrowthIsSeenAtOnce(t *testing.T) {
	w := newWorld(t, 1<<20, "a", "b")
	if got := w.after(Every); got != "" {
		t.Fatal(got)
	}
	w.write("a", "x", 2<<20)
	if got := w.after(Every); got != "a" {
		t.Errorf("over: %q", got)
	}
}

// What others free meanwhile hides growth from the file system's count, but not
// for long.
func TestHiddenGrowthIsSeenInTime(t *testing.T) {
	w := newWorld(t, 1<<20, "a")
	w.after(Every)
	w.write("a", "x", 2<<20)
	w.full -= 2 << 20
	if got := w.after(Every); got != "" {
		t.Errorf("measured though nothing had grown: %q", got)
	}
	if got := w.after(atLeast); got != "a" {
		t.Errorf("over: %q", got)
	}
}

func TestNothingIsMeasuredWithoutCause(t *testing.T) {
	w := newWorld(t, 1<<30, "a", "b")
	w.after(Every)
	at := w.seen["a"].at
	w.full += 1 << 20 // much is left of a gigabyte
	for range 10 {
		w.after(Every)
	}
	if w.seen["a"].at != at {
		t.Error("measured again without a cause")
	}
	w.all = w.all[:1]
	w.after(Every)
	if len(w.seen) != 1 {
		t.Errorf("%d are remembered", len(w.seen))
	}
}

// A tree that takes long to measure is measured seldom.
func TestCostIsBounded(t *testing.T) {
	r := record{at: time.Unix(0, 0), took: time.Second}
	for after, want := range map[time.Duration]bool{10 * time.Second: false, 21 * time.Second: true} {
		if got := r.isDue(100, 200, time.Unix(0, 0).Add(after)); got != want {
			t.Errorf("hot, after %v: %v", after, got)
		}
	}
	for after, want := range map[time.Duration]bool{50 * time.Second: false, 101 * time.Second: true} {
		if got := r.isDue(100, 0, time.Unix(0, 0).Add(after)); got != want {
			t.Errorf("calm, after %v: %v", after, got)
		}
	}
}

// TestEscapeMeasure: ways to look smaller than one is.
func TestEscapeMeasure(t *testing.T) {
	w := newWorld(t, 1<<20, "a")
	data := filepath.Join(w.dir, "a", "alloc", "data")
	// A file with holes is small, a second name is no second file.
	f, err := os.Create(filepath.Join(data, "holes"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	f.Close()
	w.write("a", "half", 600<<10)
	if err := os.Link(filepath.Join(data, "half"), filepath.Join(data, "twin")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr", filepath.Join(data, "link")); err != nil {
		t.Fatal(err)
	}
	if got := w.after(atLeast); got != "" {
		t.Fatalf("over: %q with %d bytes", got, w.seen["a"].used)
	}
	// What nobody can list is measured still, for the agent is root.
	if err := os.Mkdir(filepath.Join(data, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	w.write("a", "more", 600<<10)
	if got := w.after(atLeast); got != "a" {
		t.Errorf("over: %q with %d bytes", got, w.seen["a"].used)
	}
}

func TestEscapeDepth(t *testing.T) {
	w := newWorld(t, 1<<20, "a")
	dir := filepath.Join(w.dir, "a", "alloc", "data")
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if err := unix.Mkdirat(fd, "d", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(fd, "d", unix.O_PATH|unix.O_DIRECTORY, 0)
		unix.Close(fd)
		if err != nil {
			t.Fatal(err)
		}
		fd = next
	}
	unix.Close(fd)
	if got := w.after(atLeast); got != "a" {
		t.Errorf("over: %q", got)
	}
}

// TestEscapeDeleted: what is deleted and held open counts.
func TestEscapeDeleted(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), os.Remove(f.Name())); err != nil {
		t.Fatal(err)
	}
	id := allocOf("self") // of no allocation, as a rule: then the empty name stands for it
	if got := held(dir, map[string]bool{id: true}); got[id] < 1<<20 {
		t.Errorf("%d bytes are held", got[id])
	}
	w := newWorld(t, 1<<20, "a")
	w.after(Every)
	w.Watch.held = func(of map[string]bool) map[string]int64 { return map[string]int64{"a": 2 << 20} }
	w.full += 2 << 20
	if got := w.after(Every); got != "a" {
		t.Errorf("over: %q", got)
	}
}
