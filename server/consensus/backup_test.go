package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

func save(t *testing.T, r *Raft) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := r.Save(context.Background(), &b, false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSaveAndRestore(t *testing.T) {
	for name, open := range map[string]func(Config) (*Raft, error){"memory": OpenMemory, "disk": Open} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t.TempDir())
			r, err := open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			awaitLeader(t, r)
			putNamespace(t, r, "before")
			saved := save(t, r)
			in, err := ReadBackup(bytes.NewReader(saved), nil)
			if err != nil || in.Index == 0 || in.Size == 0 || len(in.Tables) == 0 {
				t.Fatalf("inspection is %+v, %v", in, err)
			}
			putNamespace(t, r, "after")
			_, sub := cfg.FSM.Store().Subscribe(10)
			if _, err := r.Restore(context.Background(), bytes.NewReader(saved), false); err != nil {
				t.Fatal(err)
			}
			if !hasNamespace(r, "before") || hasNamespace(r, "after") {
				t.Error("the state is not that of the snapshot")
			}
			if _, err := sub.Next(t.Context()); !errors.Is(err, state.ErrGap) {
				t.Errorf("a subscriber was told %v", err)
			}
			putNamespace(t, r, "then")
			if name == "memory" {
				return
			}
			r.Close()
			again, err := Open(config(cfg.Dir))
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			awaitLeader(t, again)
			if !hasNamespace(again, "before") || hasNamespace(again, "after") || !hasNamespace(again, "then") {
				t.Error("a restart after the restore gives another state")
			}
		})
	}
}

// TestDamagedBackupIsRefused flips and cuts everywhere: nothing changes.
func TestDamagedBackupIsRefused(t *testing.T) {
	r, err := OpenMemory(config(""))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	awaitLeader(t, r)
	putNamespace(t, r, "x")
	good := save(t, r)
	index := r.AppliedIndex()
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		for kind, b := range map[string][]byte{"flip": bad, "cut": good[:at]} {
			if _, err := ReadBackup(bytes.NewReader(b), nil); !errors.Is(err, api.ErrInvalid) {
				t.Fatalf("%s at %d of %d: %v", kind, at, len(good), err)
			}
		}
		if at%100 == 0 {
			if _, err := r.Restore(context.Background(), bytes.NewReader(bad), false); !errors.Is(err, api.ErrInvalid) {
				t.Fatalf("restore of a flip at %d: %v", at, err)
			}
		}
	}
	if r.AppliedIndex() != index {
		t.Error("a refused snapshot left a trace in the log")
	}
}

func FuzzReadBackup(f *testing.F) {
	var b bytes.Buffer
	if err := WriteBackup(&b, Metadata{Format: backupFormat, ID: "x"}, state.New().View()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:50])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ReadBackup(bytes.NewReader(b), nil); err != nil && !errors.Is(err, api.ErrInvalid) {
			t.Fatal(err)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for name, open := range map[string]func(Config) (*Raft, error){"memory": OpenMemory, "disk": Open} {
		for _, parallel := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, parallel), func(b *testing.B) {
				r, err := open(config(b.TempDir()))
				if err != nil {
					b.Fatal(err)
				}
				defer r.Close()
				awaitLeader(b, r)
				b.SetParallelism(parallel)
				b.ResetTimer()
				if parallel == 1 {
					for b.Loop() {
						putNamespace(b, r, "x")
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						putNamespace(b, r, "x")
					}
				})
			})
		}
	}
}
