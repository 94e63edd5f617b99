package consensus

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// cluster opens a server of a cluster with an identity.
func cluster(t *testing.T, id string) *Raft {
	t.Helper()
	r, err := Open(config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	awaitLeader(t, r)
	if _, err := r.Do(context.Background(), &fsm.ClusterMeta{ClusterID: id}); err != nil {
		t.Fatal(err)
	}
	return r
}

func clusterID(r *Raft) string {
	m, _ := r.fsm.Store().View().ClusterMeta()
	return m.ClusterID
}

func TestSnapshotOfAnotherCluster(t *testing.T) {
	one, two := cluster(t, "one"), cluster(t, "two")
	putNamespace(t, one, "of-one")
	putNamespace(t, two, "of-two")
	saved := save(t, one)
	index := two.LastIndex()
	_, err := two.Restore(context.Background(), bytes.NewReader(saved), false)
	if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "cluster one") || !strings.Contains(err.Error(), "-force") {
		t.Errorf("a snapshot of another cluster: %v", err)
	}
	if two.LastIndex() != index || !hasNamespace(two, "of-two") || hasNamespace(two, "of-one") {
		t.Error("the refused snapshot left a trace")
	}
	if _, err := two.Restore(context.Background(), bytes.NewReader(saved), true); err != nil {
		t.Fatal(err)
	}
	if clusterID(two) != "one" || !hasNamespace(two, "of-one") || hasNamespace(two, "of-two") {
		t.Error("the forced snapshot did not take the place of the state")
	}
	fresh := cluster(t, "three")
	if _, err := fresh.Restore(context.Background(), bytes.NewReader(saved), false); err != nil || clusterID(fresh) != "one" {
		t.Errorf("a new cluster does not take the snapshot: %v", err)
	}
	leftovers, _ := os.ReadDir(two.cfg.Dir)
	for _, e := range leftovers {
		if strings.HasSuffix(e.Name(), ".tmp") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// TestBombIsRefused feeds a small file that unpacks to gigabytes, with all its
// checksums right as far as it is read.
// TestAStateThatWentBackIsNotMistaken: after an old state was brought back, what
// other servers had before is not as far as this one, although its index is greater.
func TestAStateThatWentBackIsNotMistaken(t *testing.T) {
	r := cluster(t, "one")
	saved := save(t, r)
	for _, name := range []string{"a", "b", "c"} {
		putNamespace(t, r, name)
	}
	before := r.fsm.Store().View().Index()
	if r.ReadIndex() != before {
		t.Errorf("read index %d, the state's is %d", r.ReadIndex(), before)
	}
	if _, err := r.Restore(context.Background(), bytes.NewReader(saved), false); err != nil {
		t.Fatal(err)
	}
	if r.ReadIndex() <= before {
		t.Errorf("read index %d after the state went back, others may have got to %d", r.ReadIndex(), before)
	}
	putNamespace(t, r, "d")
	if now := r.fsm.Store().View().Index(); r.ReadIndex() != now || now <= before {
		t.Errorf("read index %d after the next command, the state's is %d", r.ReadIndex(), now)
	}
}

func TestBombIsRefused(t *testing.T) {
	var b bytes.Buffer
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	// The beginning of a state: a table with a block of many rows, all zeros.
	if _, err := z.Write([]byte("SERAIST\n\x01\x01\x01\x0ccluster_meta\x01")); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 256 {
		_, _ = z.Write([]byte("\x01\x80\x80\x80\x20\x00\x00\x00\x00"))
		for range 2 {
			_, _ = z.Write(zeros)
		}
	}
	_ = z.Close()
	if err := WriteBackup(&b, Metadata{Format: backupFormat}, state.New().View()); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.NewBuffer(headOf(t, b.Bytes()))
	p := &pieces{w: bomb}
	_, _ = p.Write(packed.Bytes())
	_ = p.end()
	_, err := ReadBackup(bomb, nil)
	if !errors.Is(err, api.ErrInvalid) {
		t.Fatalf("%d bytes that unpack to gigabytes: %v", packed.Len(), err)
	}
	t.Log(err)
}

// headOf gives the beginning of a saved snapshot, up to its pieces.
func headOf(t *testing.T, b []byte) []byte {
	t.Helper()
	n := len(backupMagic) + 4
	length := int(b[n-4])<<24 | int(b[n-3])<<16 | int(b[n-2])<<8 | int(b[n-1])
	return bytes.Clone(b[:n+length+4])
}

// TestGrowthIsBounded looks at the bound itself.
func TestGrowthIsBounded(t *testing.T) {
	p := &pieceReader{taken: 1000}
	g := &growing{from: endless{}, packed: p, w: &bytes.Buffer{}}
	buf := make([]byte, 1<<20)
	for range 1000 {
		if _, err := g.Read(buf); err != nil {
			if !errors.Is(err, api.ErrInvalid) || g.n > freeBytes+maxExpansion*p.taken+int64(len(buf)) {
				t.Errorf("after %d bytes: %v", g.n, err)
			}
			return
		}
		g.w.(*bytes.Buffer).Reset()
	}
	t.Error("it grows without end")
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestSnapshotFromTheFuture(t *testing.T) {
	v := state.New().View()
	for name, m := range map[string]Metadata{
		"format":   {Format: backupFormat + 1},
		"protocol": {Format: backupFormat, Protocol: version.ProtocolMax() + 1, Build: "9.9.9"},
	} {
		var b bytes.Buffer
		if err := WriteBackup(&b, m, v); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBackup(&b, nil); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), "at least as new") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
