package exec_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/internal/cgroup"
)

// A container whose task has ended and whose allocation's directory is gone has nobody left to ask for it: the next process of the driver removes it
// when it starts its first task. One whose directory is there waits for its agent.
func TestAbandoned(t *testing.T) {
	first := driver(t, nil)
	records := func(r *run) []string {
		name := strings.Map(func(c rune) rune {
			if c == '/' {
				return '_'
			}
			return c
		}, r.task.ID)
		list, _ := filepath.Glob("/run/serai/exec*/" + name)
		return list
	}
	var runs []*run
	for range 2 {
		r := newRun(t, first, "exec sleep 600")
		r.start(io.Discard)
		if len(records(r)) != 2 {
			t.Fatalf("records %v", records(r))
		}
		l, err := cgroup.Find()
		if err != nil {
			t.Fatal(err)
		}
		g, there := l.Lookup(cgroup.Name(r.task.ID))
		if !there {
			t.Fatal("the task has no group")
		}
		if err := g.Kill(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Wait(t.Context(), r.task.ID); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	gone, kept := runs[0], runs[1]
	if err := os.Rename(gone.task.AllocDir, gone.task.AllocDir+".gone"); err != nil {
		t.Fatal(err)
	}
	next := newRun(t, driver(t, nil), "true")
	next.finish()
	if list := records(gone); len(list) != 0 {
		t.Errorf("left %v", list)
	}
	if list := records(kept); len(list) != 2 {
		t.Errorf("what somebody may ask for: %v", list)
	}
}
