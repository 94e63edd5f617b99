package client

import (
	"maps"
	"os"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

func TestCollect(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	ctx := t.Context()
	alloc := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1ms"}))
	running := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1h"}))
	gone := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1h"}))
	s.put(alloc, running, gone)
	s.status(t, alloc.ID, api.AllocClientComplete)
	s.status(t, running.ID, api.AllocClientRunning)
	s.status(t, gone.ID, api.AllocClientRunning)
	if err := a.GCAlloc(ctx, running.ID); api.Status(err) != 400 {
		t.Errorf("a running allocation was collected: %v", err)
	}
	eventually(t, "collected", func() bool { return a.GCAlloc(ctx, alloc.ID) == nil && !a.HasAlloc(alloc.ID) })
	// What the servers do not know any more is ended and removed.
	s.remove(gone.ID)
	eventually(t, "forgotten", func() bool { return !a.HasAlloc(gone.ID) })
	if err := a.GCAll(ctx); err != nil || !a.HasAlloc(running.ID) {
		t.Error(err)
	}
	dirs, err := os.ReadDir(a.cfg.AllocDir)
	if err != nil || len(dirs) != 1 || dirs[0].Name() != running.ID {
		t.Errorf("left: %v %v", dirs, err)
	}
}

func TestMaxAllocs(t *testing.T) {
	s := newCluster()
	cfg := config(t, t.TempDir(), s)
	cfg.StopTasks, cfg.GC.MaxAllocs = true, 3
	a := start(t, cfg)
	var allocs []*api.Allocation
	for range 10 {
		allocs = append(allocs, newAlloc("batch", mockTask("main", map[string]any{"run_for": "1ms"})))
	}
	s.put(allocs...)
	eventually(t, "three kept", func() bool { return len(a.entries()) == 3 })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestMeta(t *testing.T) {
	s := newCluster()
	cfg := config(t, t.TempDir(), s)
	cfg.Meta = map[string]string{"rack": "r1", "zone": "a"}
	a := start(t, cfg)
	s.await(t, "node", func() bool { return s.node != nil })
	r2 := "r2"
	if _, err := a.ApplyMeta(t.Context(), map[string]*string{"rack": &r2, "zone": nil, "more": &r2}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"rack": "r2", "more": "r2"}
	s.await(t, "new metadata", func() bool { return maps.Equal(s.node.Meta, want) })
	a.end(t)
	b := start(t, cfg)
	if got := b.Meta(); !maps.Equal(got.Meta, want) || got.Static["rack"] != "r1" {
		t.Errorf("after a restart: %+v", got)
	}
	if b.NodeID() != a.NodeID() {
		t.Error("the node has another ID")
	}
}

func TestHostStats(t *testing.T) {
	a := dev(t, newCluster())
	st, err := a.HostStats(t.Context())
	if err != nil || st.Memory.Total == 0 || len(st.CPU) == 0 || st.Uptime == 0 || st.AllocDirStats.Size == 0 {
		t.Errorf("%+v %v", st, err)
	}
}
