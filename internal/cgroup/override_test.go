package cgroup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownGroup makes a group of the test's own in a hierarchy and returns its path below the root.
func ownGroup(t *testing.T, key string) string {
	t.Helper()
	h, err := hierarchy(key)
	if err != nil {
		t.Skipf("not here: %v", err)
	}
	dir, err := os.MkdirTemp(h.own, "serai-override-")
	if err != nil {
		t.Skipf("not here: %v", err)
	}
	t.Cleanup(func() {
		if err := remove(context.Background(), dir); err != nil {
			t.Error(err)
		}
	})
	if key == "cpuset" {
		if err := inheritCpuset(dir); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimPrefix(dir, h.root)
}

func TestReplace(t *testing.T) {
	l := layout(t)
	o := Override{V1: map[string]string{}}
	for _, key := range []string{"pids", "cpu", "blkio"} {
		if _, err := hierarchy(key); err == nil {
			o.V1[key] = ownGroup(t, key)
		}
	}
	if len(o.V1) == 0 {
		o.V2 = ownGroup(t, Unified)
	}
	name := Name("test/" + t.Name())
	g, err := l.Create(name, "cpu", "cpuacct", "memory")
	if err != nil {
		t.Skipf("not here: %v", err)
	}
	before := len(g.Paths)
	g, err = l.Replace(g, name, o)
	t.Cleanup(func() {
		if err := g.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Paths) < before {
		t.Errorf("%v", g.Paths)
	}
	for key, path := range o.paths() {
		if !strings.HasSuffix(g.Paths[key], filepath.Join(path, name)) {
			t.Errorf("%q is at %s, want it below %s", key, g.Paths[key], path)
		}
	}
	for _, bad := range []Override{
		{V1: map[string]string{"no-such": "x"}}, {V1: map[string]string{"pids": "../.."}}, {V2: "../x"}, {V1: map[string]string{"pids": "does/not/exist"}},
		{V1: map[string]string{"": "x"}}, {V1: map[string]string{"rw": ""}},
	} {
		if got, err := l.Replace(g, name, bad); err == nil {
			t.Errorf("%v was taken: %v", bad, got)
		}
	}
}
