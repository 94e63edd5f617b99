package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/bucket"
	"github.com/seraihq/serai/internal/bucket/fake"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/state"
)

// source makes snapshots of an empty state that was saved at given times.
type source struct {
	mu      sync.Mutex
	at      time.Time
	step    time.Duration
	index   uint64
	cluster string
	broken  bool
}

func (s *source) save(_ context.Context, w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.index = s.at.Add(s.step), s.index+1
	if s.broken {
		_, err := w.Write([]byte("half of it"))
		return errors.Join(err, errors.New("the disk is full"))
	}
	return consensus.WriteBackup(w, consensus.Metadata{Format: 1, Time: s.at, Index: s.index, Cluster: s.cluster}, state.New().View())
}

// targets gives each kind of target, with a second handle to the same place and
// a way to see what is there.
func targets(t *testing.T) map[string]func(t *testing.T) (one, two Target, names func() []string) {
	return map[string]func(t *testing.T) (Target, Target, func() []string){
		"directory": func(t *testing.T) (Target, Target, func() []string) {
			dir := filepath.Join(t.TempDir(), "snapshots")
			one, err := NewDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			two, _ := NewDir(dir)
			return one, two, func() []string { return listed(t, one) }
		},
		"bucket": func(t *testing.T) (Target, Target, func() []string) {
			s := &fake.Store{Bucket: "backups", Region: "eu-north-1", ID: "AKID", Secret: "SENTINEL", PageSize: 2}
			server := fake.Start(s)
			t.Cleanup(server.Close)
			t.Cleanup(func() {
				if r := s.Refused(); len(r) > 0 {
					t.Errorf("wrong signatures: %v", r)
				}
			})
			return objects(t, server.URL, "one"), objects(t, server.URL, "two"), func() []string {
				var out []string
				for _, k := range s.Objects() {
					out = append(out, strings.TrimPrefix(k, "prod/serai/"))
				}
				return out
			}
		},
	}
}

func objects(t *testing.T, address, holder string) *Objects {
	t.Helper()
	b, err := bucket.Open(bucket.Config{Bucket: "backups", Region: "eu-north-1", Endpoint: address, Keys: func() (bucket.Keys, error) {
		return bucket.Keys{ID: "AKID", Secret: "SENTINEL"}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewObjects(b, "/prod/serai/", holder)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func listed(t *testing.T, target Target) []string {
	t.Helper()
	names, err := target.Names(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(n string) bool { return n == lockName })
}

func runner(target Target, s *source, interval time.Duration, retain int) *Runner {
	return New(Config{Target: target, Interval: interval, Retain: retain, Save: s.save, Logger: slog.New(slog.DiscardHandler)})
}

func TestRetention(t *testing.T) {
	for name, make := range targets(t) {
		t.Run(name, func(t *testing.T) {
			one, _, names := make(t)
			s := &source{at: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), step: time.Hour, cluster: "0a1b2c3d-0000"}
			other := &source{at: s.at, step: time.Hour, cluster: "ffffffff-0000"}
			if _, err := runner(one, other, time.Hour, 3).Once(context.Background(), true); err != nil {
				t.Fatal(err)
			}
			r := runner(one, s, time.Hour, 3)
			for range 5 {
				if _, err := r.Once(context.Background(), true); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{
				"serai-0a1b2c3d-20260501T030000Z-000000000003.snap", "serai-0a1b2c3d-20260501T040000Z-000000000004.snap",
				"serai-0a1b2c3d-20260501T050000Z-000000000005.snap", "serai-ffffffff-20260501T010000Z-000000000001.snap",
			}
			if got := names(); !slices.Equal(got, want) {
				t.Errorf("there are %v, want %v", got, want)
			}
		})
	}
}

func TestOnlyOneWrites(t *testing.T) {
	for name, make := range targets(t) {
		t.Run(name, func(t *testing.T) {
			one, two, names := make(t)
			s := &source{at: time.Now(), cluster: "0a1b2c3d"}
			release, err := one.Lock(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := runner(two, s, time.Hour, 3).Once(context.Background(), true); !errors.Is(err, ErrBusy) {
				t.Errorf("a second writer: %v", err)
			}
			release()
			if _, err := runner(two, s, time.Hour, 3).Once(context.Background(), false); err != nil {
				t.Fatal(err)
			}
			// The one that comes later sees that none is due.
			if saved, err := runner(one, s, time.Hour, 3).Once(context.Background(), false); saved != nil || err != nil {
				t.Errorf("a snapshot that is not due: %v %v", saved, err)
			}
			if got := names(); len(got) != 1 {
				t.Errorf("there are %v", got)
			}
		})
	}
}

// TestManyWriters lets agents run against each other: no interval has two
// snapshots.
func TestManyWriters(t *testing.T) {
	for name, make := range targets(t) {
		t.Run(name, func(t *testing.T) {
			one, two, names := make(t)
			s := &source{at: time.Now(), cluster: "0a1b2c3d"}
			ctx := context.Background()
			var wg sync.WaitGroup
			for _, target := range []Target{one, two, one, two} {
				wg.Go(func() {
					if _, err := runner(target, s, time.Hour, 9).Once(ctx, false); err != nil && !errors.Is(err, ErrBusy) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := names(); len(got) != 1 {
				t.Errorf("there are %v", got)
			}
		})
	}
}

func TestNothingHalfDone(t *testing.T) {
	for name, make := range targets(t) {
		t.Run(name, func(t *testing.T) {
			one, _, names := make(t)
			s := &source{at: time.Now(), cluster: "0a1b2c3d", broken: true}
			if _, err := runner(one, s, time.Hour, 3).Once(context.Background(), true); err == nil || !strings.Contains(err.Error(), "disk is full") {
				t.Errorf("a save that fails: %v", err)
			}
			lies := New(Config{Target: one, Interval: time.Hour, Logger: slog.New(slog.DiscardHandler), Save: func(_ context.Context, w io.Writer) error {
				var b bytes.Buffer
				_ = consensus.WriteBackup(&b, consensus.Metadata{Format: 1}, state.New().View())
				_, err := w.Write(b.Bytes()[:b.Len()-7])
				return err
			}})
			if _, err := lies.Once(context.Background(), true); err == nil || !strings.Contains(err.Error(), "cut short") {
				t.Errorf("a snapshot that is cut short: %v", err)
			}
			if got := names(); len(got) != 0 {
				t.Errorf("there are %v", got)
			}
		})
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	d, _ := NewDir(dir)
	for _, n := range []string{"serai-0a1b2c3d-20260501T010000Z-000000000001.snap.part", "mine.part", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	release, err := d.Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	release()
	if got := listed(t, d); !slices.Equal(got, []string{"mine.part", "notes.txt"}) {
		t.Errorf("there are %v", got)
	}
}

// TestOneProcessDoesNotShareItsLock: the second of one process waits, and who was
// slower than its lease takes the lock from nobody.
func TestOneProcessDoesNotShareItsLock(t *testing.T) {
	server := fake.Start(&fake.Store{Bucket: "backups", Region: "eu-north-1", ID: "AKID", Secret: "SENTINEL"})
	defer server.Close()
	slow, other := objects(t, server.URL, "slow"), objects(t, server.URL, "other")
	release, err := slow.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Lock(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("a second writer of the process: %v", err)
	}
	other.now = func() time.Time { return time.Now().Add(lease + time.Minute) }
	if _, err := other.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := slow.Lock(t.Context()); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "other") {
		t.Errorf("the lock of the other was let go: %v", err)
	}
}

// TestLease: a writer that died lets others in when its time is over.
func TestLease(t *testing.T) {
	s := &fake.Store{Bucket: "backups", Region: "eu-north-1", ID: "AKID", Secret: "SENTINEL"}
	server := fake.Start(s)
	defer server.Close()
	dead, other := objects(t, server.URL, "dead"), objects(t, server.URL, "other")
	if _, err := dead.Lock(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Lock(context.Background()); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "dead") {
		t.Errorf("a lock that is held: %v", err)
	}
	other.now = func() time.Time { return time.Now().Add(lease + time.Minute) }
	if _, err := other.Lock(context.Background()); err != nil {
		t.Errorf("a lock whose time is over: %v", err)
	}
	s.Set("prod/serai/serai-snapshot.lock", []byte("nonsense"))
	if _, err := objects(t, server.URL, "dead").Lock(context.Background()); err != nil {
		t.Errorf("a lock that cannot be read: %v", err)
	}
}

func TestStoreThatRefuses(t *testing.T) {
	s := &fake.Store{Bucket: "backups", Region: "eu-north-1", ID: "AKID", Secret: "SENTINEL", Fail: func(r *http.Request) (int, string) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".snap") {
			return 503, "SlowDown"
		}
		return 0, ""
	}}
	server := fake.Start(s)
	defer server.Close()
	src := &source{at: time.Now(), cluster: "0a1b2c3d"}
	_, err := runner(objects(t, server.URL, "one"), src, time.Hour, 1).Once(context.Background(), true)
	if err == nil || !strings.Contains(err.Error(), "SlowDown") || strings.Contains(err.Error(), "SENTINEL") {
		t.Errorf("got %v", err)
	}
	if got := s.Objects(); len(got) != 0 {
		t.Errorf("there are %v: the lock was not given back", got)
	}
}

func TestNames(t *testing.T) {
	s := Saved{Cluster: "0a1b2c3d", Time: time.Date(2026, 5, 1, 1, 2, 3, 0, time.UTC), Index: 77}
	if got, ok := parseName(s.Name()); !ok || got != s {
		t.Errorf("%+v from %s", got, s.Name())
	}
	for _, n := range []string{"", "x.snap", s.Name() + ".part", "serai-0a1b2c3d-20261399T010203Z-1.snap", "serai-0a1b2c3d-20260501T010203Z-99999999999999999999.snap"} {
		if got, ok := parseName(n); ok {
			t.Errorf("%q is taken for %+v", n, got)
		}
	}
	for id, want := range map[string]string{"": "00000000", "0A-b1c2d3e4f5": "0b1c2d3e", "zz": "00000000"} {
		if got := shortCluster(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("serai-0a1b2c3d-20260501T010203Z-000000000077.snap")
	f.Fuzz(func(t *testing.T, name string) {
		s, ok := parseName(name)
		if again, same := parseName(s.Name()); ok && (!same || again != s) {
			t.Errorf("%+v became %+v", s, again)
		}
	})
}
