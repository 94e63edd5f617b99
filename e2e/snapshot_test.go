package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
	"github.com/seraihq/serai/internal/bucket/fake"
)

// inspection is what snapshot inspect -json shows.
type inspection struct {
	Index, Term uint64
	Cluster     string
	Protocol    int
	Size        int64
	Tables      []struct {
		Name  string
		Rows  int
		Bytes int64
	}
}

func (i inspection) rows(table string) int {
	for _, t := range i.Tables {
		if t.Name == table {
			return t.Rows
		}
	}
	return -1
}

func TestSnapshotsByTheClock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "snapshots")
	a := start(t, rig.Options{NoClient: true, Config: `server {
  snapshot {
    interval = "1s"
    retain   = 2
    path     = "` + dir + `"
  }
}`})
	a.ok(t, "namespace", "apply", "kept")
	files := func() []string {
		list, err := filepath.Glob(filepath.Join(dir, "serai-*.snap"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	var newest inspection
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if list := files(); len(list) == 2 { // it may be pruned while we read it
			if out := a.cli(t, "operator", "snapshot", "inspect", "-json", list[1]); out.code == 0 {
				if err := json.Unmarshal([]byte(out.stdout), &newest); err != nil {
					t.Fatal(err)
				}
				if newest.rows("namespaces") == 2 {
					break
				}
			}
		}
		if time.Now().After(end) {
			t.Fatalf("there are %v, the newest holds %+v", files(), newest)
		}
	}
	if newest.Index == 0 || newest.Term == 0 || newest.Cluster == "" || newest.Protocol != 1 || newest.Size == 0 {
		t.Errorf("inspection is %+v", newest)
	}
	for _, f := range files() {
		if info, err := os.Stat(f); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
	}
}

func TestSnapshotAgent(t *testing.T) {
	t.Parallel()
	store := &fake.Store{Bucket: "backups", Region: "eu-north-1", ID: "AKID", Secret: "SENTINEL"}
	server := fake.Start(store)
	defer server.Close()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("[default]\naws_access_key_id = AKID\naws_secret_access_key = SENTINEL\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, rig.Options{NoClient: true})
	a.ok(t, "namespace", "apply", "kept")
	args := []string{"operator", "snapshot", "agent", "-once", "-s3-bucket", "backups", "-s3-region", "eu-north-1", "-s3-endpoint", server.URL, "-s3-prefix", "prod", "-s3-credentials-file", keys}
	r := a.cli(t, args...)
	if r.code != 0 || !strings.Contains(r.stdout, "Saved serai-") || strings.Contains(r.all(), "SENTINEL") {
		t.Fatalf("%v", r)
	}
	list := store.Objects()
	if len(list) != 1 || !strings.HasPrefix(list[0], "prod/serai-") {
		t.Fatalf("the store has %v", list)
	}
	file := filepath.Join(t.TempDir(), "fetched.snap")
	if err := os.WriteFile(file, store.Object(list[0]), 0o600); err != nil {
		t.Fatal(err)
	}

	// A new cluster takes it without a question, one with work of its own does not.
	b := start(t, rig.Options{NoClient: true})
	b.ok(t, "operator", "snapshot", "restore", file)
	if out := b.ok(t, "namespace", "list"); !strings.Contains(out, "kept") {
		t.Errorf("after the restore: %s", out)
	}
	c := start(t, rig.Options{NoClient: true})
	c.ok(t, "namespace", "apply", "own")
	if r := c.cli(t, "operator", "snapshot", "restore", file); r.code != 1 || !strings.Contains(r.stderr, "-force") {
		t.Errorf("a snapshot of another cluster: %v", r)
	}
	if out := c.ok(t, "namespace", "list"); !strings.Contains(out, "own") || strings.Contains(out, "kept") {
		t.Errorf("after the refusal: %s", out)
	}
	c.ok(t, "operator", "snapshot", "restore", "-force", file)
	if out := c.ok(t, "namespace", "list"); strings.Contains(out, "own") || !strings.Contains(out, "kept") {
		t.Errorf("after the forced restore: %s", out)
	}
	c.refusesDamage(t, file)

	if err := os.Chmod(keys, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := a.cli(t, args...); r.code != 1 || !strings.Contains(r.stderr, "chmod 600") || strings.Contains(r.all(), "SENTINEL") {
		t.Errorf("keys for everybody: %v", r)
	}
}

// refusesDamage tries files that are cut short and changed.
func (a *agent) refusesDamage(t *testing.T, file string) {
	t.Helper()
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, good...)
	flipped[len(flipped)/2] ^= 4
	before := a.ok(t, "operator", "api", "/v1/namespaces")
	for name, bytes := range map[string][]byte{"cut": good[:len(good)-9], "flipped": flipped, "empty": nil, "no snapshot": []byte("hello")} {
		bad := filepath.Join(t.TempDir(), "bad.snap")
		if err := os.WriteFile(bad, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"restore", "inspect"} {
			if r := a.cli(t, "operator", "snapshot", command, bad); r.code != 1 || !strings.Contains(r.stderr, "snapshot cannot be used") {
				t.Errorf("%s of a file that is %s: %v", command, name, r)
			}
		}
	}
	if after := a.ok(t, "operator", "api", "/v1/namespaces"); after != before {
		t.Errorf("refused snapshots changed the state:\n%s\n%s", before, after)
	}
}
