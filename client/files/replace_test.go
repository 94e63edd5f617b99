package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/seraihq/serai/api"
)

func TestReplaceFile(t *testing.T) {
	dir, outside := tree(t)
	r := root(t, dir)
	must(t, r.MkdirMissing("local/deep/er", 0o755, -1, -1))
	for _, data := range []string{"first", "second"} {
		must(t, r.ReplaceFile("local/deep/er/app.conf", []byte(data), 0o640, -1, -1))
		b, err := os.ReadFile(filepath.Join(dir, "local/deep/er/app.conf"))
		if string(b) != data || err != nil {
			t.Errorf("%q %v", b, err)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "local/deep/er/app.conf")); err != nil || st.Mode() != 0o640 {
		t.Error(st.Mode(), err)
	}
	// A link in the place of the file is replaced, and what it leads to stays.
	secret := filepath.Join(outside, "secret")
	must(t, os.WriteFile(secret, []byte("keep"), 0o600))
	must(t, os.Symlink(secret, filepath.Join(dir, "local/link")))
	must(t, r.ReplaceFile("local/link", []byte("x"), 0o600, -1, -1))
	if b, _ := os.ReadFile(secret); string(b) != "keep" {
		t.Errorf("written through a link: %q", b)
	}
	if st, err := os.Lstat(filepath.Join(dir, "local/link")); err != nil || !st.Mode().IsRegular() {
		t.Error("the link was not replaced")
	}
	// A link in the way that leads out is not followed.
	must(t, os.Symlink(outside, filepath.Join(dir, "local/out")))
	for _, err := range []error{r.ReplaceFile("local/out/x", nil, 0o600, -1, -1), r.MkdirMissing("local/out/deep", 0o755, -1, -1)} {
		if !errors.Is(err, api.ErrDenied) {
			t.Errorf("through a link that leads out: %v", err)
		}
	}
	// Nothing is left where the file cannot be.
	if err := r.ReplaceFile("local/deep", []byte("x"), 0o600, -1, -1); err == nil {
		t.Error("a directory was replaced")
	}
	names, err := os.ReadDir(filepath.Join(dir, "local"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if n.Name()[0] == '.' {
			t.Errorf("%s was left", n.Name())
		}
	}
}
