package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

// TestDiskFollows moves an allocation to another node by a drain, and replaces
// it there by a new version: its data come along both times.
func TestDiskFollows(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, rig.Options{})
	id := c.jobID(t)
	script := `[ -e $NOMAD_ALLOC_DIR/data/first ] || echo $NOMAD_ALLOC_ID >$NOMAD_ALLOC_DIR/data/first; echo start >>$NOMAD_TASK_DIR/starts; exec sleep 10000`
	submit := func(version string) {
		quick := map[string]any{"MaxParallel": 1, "HealthCheck": "task_states", "MinHealthyTime": 100 * time.Millisecond, "HealthyDeadline": time.Minute}
		if r := c.do(t, http.MethodPut, "/v1/jobs", map[string]any{"Job": map[string]any{
			"ID": id, "Name": id, "Type": "service", "Datacenters": []string{"dc1"},
			"TaskGroups": []any{map[string]any{
				"Name": "g", "Migrate": quick, "Update": quick, "EphemeralDisk": map[string]any{"Sticky": true, "Migrate": true, "SizeMB": 20},
				"Tasks": []any{map[string]any{
					"Name": "t", "Driver": "raw_exec", "Config": map[string]any{"command": "/bin/sh", "args": []string{"-c", script}},
					"Env": map[string]string{"VERSION": version}, "Resources": map[string]any{"CPU": 20, "MemoryMB": 16},
					"LogConfig": map[string]any{"MaxFiles": 1, "MaxFileSizeMB": 1},
				}},
			}},
		}}); r.status != http.StatusOK {
			t.Fatalf("register: %d %s", r.status, r.body)
		}
	}
	// starts waits until an allocation other than the last runs, and has this many starts behind it.
	first, last := "", ""
	starts := func(n int) (node string) {
		t.Helper()
		eventually(t, fmt.Sprintf("start %d, with the data of the others", n), func() (bool, string) {
			var allocs []*api.AllocationListStub
			c.get(t, "/v1/job/"+id+"/allocations", &allocs)
			for _, a := range allocs {
				if a.ID == last || a.ClientStatus != api.AllocClientRunning || a.DesiredStatus != api.AllocDesiredRun {
					continue
				}
				list := c.do(t, http.MethodGet, "/v1/client/fs/cat/"+a.ID+"?path=t/local/starts", nil)
				owner := c.do(t, http.MethodGet, "/v1/client/fs/cat/"+a.ID+"?path=alloc/data/first", nil)
				if first == "" {
					first = a.ID
				}
				if strings.Count(string(list.body), "start\n") == n && string(owner.body) == first+"\n" {
					last, node = a.ID, a.NodeID
					return true, ""
				}
				return false, fmt.Sprintf("%q %q", list.body, owner.body)
			}
			return false, "none runs"
		})
		return node
	}
	submit("1")
	from := c.nodeOf(t, starts(1))
	c.drainNode(t, from, &api.DrainSpec{Deadline: api.Duration(time.Hour)})
	if to := c.nodeOf(t, starts(2)); to == from {
		t.Error("it is still on the node that was drained")
	}
	submit("2")
	starts(3)
}

// TestKilledDevAgent: what a dev agent leaves that is killed is ended and
// removed by the next one; that of one that lives is not.
func TestKilledDevAgent(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true, Config: `client { enabled = true }`})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t", "exec sleep 10000")))
	a.waitOne(t, id, "running")
	dirs := func() []string {
		list, _ := filepath.Glob(filepath.Join(a.Dir, "tmp", "serai-dev-*"))
		return list
	}
	before := dirs()
	if len(before) != 1 {
		t.Skipf("the dev agent has its directories elsewhere: %v", before)
	}
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	eventually(t, "nothing is left of the first agent", func() (bool, string) {
		_, err := os.Stat(before[0])
		return os.IsNotExist(err) && len(dirs()) == 1, fmt.Sprint(dirs(), err)
	})
	a.runsNothing(t)
	a.leavesNothing(t, syscall.SIGINT)
}
