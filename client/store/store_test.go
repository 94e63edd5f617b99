package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/seraihq/serai/api"
)

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func alloc(i int, version uint64) *api.Allocation {
	return &api.Allocation{
		ID: fmt.Sprintf("alloc-%04d", i), Name: fmt.Sprintf("web.front[%d]", i), JobID: "web", Namespace: "default", TaskGroup: "front",
		Job: &api.Job{
			ID: "web", Namespace: "default", Version: version,
			TaskGroups: []*api.TaskGroup{{Name: "front", Tasks: []*api.Task{{Name: "server"}}}},
		},
	}
}

type state struct{ Pid int }

func fill(t *testing.T, s *Store, n int) {
	t.Helper()
	b := s.Batch()
	for i := range n {
		a := alloc(i, uint64(i%2))
		b.PutAlloc(a)
		b.PutRunner(a.ID, state{i})
		b.PutTask(a.ID, "server", state{i * 2})
	}
	if err := b.Write(); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, s *Store, bucket string) int {
	t.Helper()
	n := 0
	if err := walk(s.db, func(b string, _, _ []byte) {
		if b == bucket {
			n++
		}
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAllocsComeBack(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	fill(t, s, 10)
	closeStore(t, s)
	s = openStore(t, dir)
	defer closeStore(t, s)
	saved, err := s.Allocs()
	if err != nil || len(saved) != 10 {
		t.Fatalf("%d allocations, %v", len(saved), err)
	}
	for i, got := range saved {
		if got.Alloc.Job == nil || got.Alloc.Job.Version != uint64(i%2) || got.Alloc.Name != alloc(i, 0).Name {
			t.Errorf("%d: %+v", i, got.Alloc)
		}
		var runner, task state
		if err := json.Unmarshal(got.Runner, &runner); err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal(got.Tasks["server"], &task); err != nil {
			t.Error(err)
		}
		if runner.Pid != i || task.Pid != i*2 {
			t.Errorf("%d: %+v %+v", i, runner, task)
		}
	}
}

func TestJobsAreKeptOnceAndDropped(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	fill(t, s, 10)
	if n := count(t, s, bucketJobs); n != 2 {
		t.Fatalf("%d jobs kept, want 2", n)
	}
	b := s.Batch()
	for i := 0; i < 10; i += 2 {
		b.DeleteAlloc(alloc(i, 0).ID, []string{"server"})
	}
	b.PutAlloc(alloc(1, 7))
	if err := b.Write(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, bucketJobs); n != 2 { // versions 1 and 7
		t.Errorf("%d jobs kept, want 2", n)
	}
	if n := count(t, s, bucketTasks); n != 5 {
		t.Errorf("%d tasks kept, want 5", n)
	}
}

func TestIdentityIsKept(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	first, err := s.Identity()
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Identity()
	if err != nil || first != second || first.ID == first.SecretID {
		t.Errorf("%v then %v, %v", first, second, err)
	}
	closeStore(t, s)
	if err := os.WriteFile(filepath.Join(dir, idFile), []byte("../../etc"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	defer closeStore(t, s)
	third, err := s.Identity()
	if err != nil || third.ID == first.ID || !uuidForm.MatchString(third.ID) || third.SecretID != first.SecretID {
		t.Errorf("after damage: %v %v", third, err)
	}
}

func TestMetaAndDrivers(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	x := "x"
	if err := s.PutMeta(map[string]*string{"a": &x, "b": nil}); err != nil {
		t.Fatal(err)
	}
	meta, err := s.Meta()
	if diff := cmp.Diff(map[string]*string{"a": &x, "b": nil}, meta); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if err := s.SaveDriver("exec", []byte{1, 2}); err != nil {
		t.Fatal(err)
	}
	if b, err := s.LoadDriver("exec"); err != nil || len(b) != 2 {
		t.Error(b, err)
	}
	if err := s.SaveDriver("exec", nil); err != nil {
		t.Fatal(err)
	}
	if b, err := s.LoadDriver("exec"); err != nil || b != nil {
		t.Error(b, err)
	}
}

// Whatever happens to the file, the store opens, takes writes and gives back
// only whole records.
func TestDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	s := openStore(t, dir)
	fill(t, s, 100)
	closeStore(t, s)
	whole, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	rounds := 80
	if testing.Short() {
		rounds = 16
	}
	for i := range rounds {
		damaged := append([]byte(nil), whole...)
		switch i % 4 {
		case 0:
			damaged = damaged[:random.IntN(len(damaged))]
		case 1:
			damaged[random.IntN(len(damaged))] ^= byte(1 + random.IntN(255))
		case 2:
			at := random.IntN(len(damaged))
			for j := at; j < min(at+4096, len(damaged)); j++ {
				damaged[j] = 0
			}
		case 3:
			at := random.IntN(len(damaged))
			for j := at; j < min(at+512, len(damaged)); j++ {
				damaged[j] = byte(random.Uint32())
			}
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, dir)
		saved, err := s.Allocs()
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		for _, got := range saved {
			if got.Alloc.Job == nil || got.Alloc.Job.ID != "web" {
				t.Errorf("round %d: %+v", i, got.Alloc)
			}
		}
		fill(t, s, 100)
		if saved, err := s.Allocs(); err != nil || len(saved) != 100 {
			t.Errorf("round %d: %d allocations after writing anew, %v", i, len(saved), err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("round %d: %v", i, err)
		}
	}
}

// TestTornAllocations: an allocation of which a part is damaged is not there any
// more, lest its tasks be started beside those that run.
func TestTornAllocations(t *testing.T) {
	for _, bucket := range []string{bucketAllocs, bucketRunners, bucketTasks} {
		for _, what := range []string{"value", "key"} {
			t.Run(bucket+" "+what, func(t *testing.T) {
				dir := t.TempDir()
				s := openStore(t, dir)
				fill(t, s, 3)
				if err := s.db.Update(func(tx *bolt.Tx) error {
					b := tx.Bucket([]byte(bucket))
					key, value := b.Cursor().First()
					key, value = bytes.Clone(key), bytes.Clone(value)
					if what == "value" {
						value[len(value)-2] ^= 4
						return b.Put(key, value)
					}
					err := b.Delete(key)
					key[0] ^= 4
					return errors.Join(err, b.Put(key, value))
				}); err != nil {
					t.Fatal(err)
				}
				closeStore(t, s)
				s = openStore(t, dir)
				defer closeStore(t, s)
				saved, err := s.Allocs()
				if err != nil || len(saved) != 2 {
					t.Fatalf("%d allocations, %v; want 2", len(saved), err)
				}
				for _, kept := range saved {
					if kept.Alloc.ID == alloc(0, 0).ID {
						t.Error("the torn one is still there")
					}
				}
				if n := count(t, s, bucketRunners) + count(t, s, bucketTasks); n != 4 {
					t.Errorf("%d records of runners and tasks are left, want those of two allocations", n)
				}
			})
		}
	}
}

func TestManyWriters(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			b := s.Batch()
			b.PutAlloc(alloc(i, 0))
			if err := b.Write(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if saved, err := s.Allocs(); err != nil || len(saved) != 200 {
		t.Errorf("%d allocations, %v", len(saved), err)
	}
}

func BenchmarkPutTask(b *testing.B) {
	s, err := Open(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.RunParallel(func(pb *testing.PB) {
		i := 0
		for pb.Next() {
			batch := s.Batch()
			batch.PutTask(fmt.Sprintf("alloc-%d", i%500), "server", state{i})
			if err := batch.Write(); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}
