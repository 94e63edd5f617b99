package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/sim"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/state"
)

// writeSnapshot writes a cluster in three datacenters as a saved snapshot; jobs
// have up to 1,000 allocations.
func writeSnapshot(t testing.TB, nodes, allocs int) string {
	store := state.New()
	var all []*api.Node
	tx := store.Begin(10)
	for i := range nodes {
		n := &api.Node{
			ID: fmt.Sprintf("0000%04d-aaaa-4bbb-8ccc-000000000001", i), Name: fmt.Sprint("n", i), Datacenter: string(rune('a' + i%3)), NodePool: "default",
			Status: "ready", SchedulingEligibility: "eligible", Drivers: map[string]*api.DriverInfo{"raw_exec": {Detected: true, Healthy: true}},
			NodeResources: &api.NodeResources{
				Cpu: api.NodeCpuResources{CpuShares: 20000}, Memory: api.NodeMemoryResources{MemoryMB: 32000}, Disk: api.NodeDiskResources{DiskMB: 1_000_000},
			},
		}
		all = append(all, n)
		tx.PutNode(n)
	}
	tx.Commit()
	for first := 0; first < allocs; first += 1000 {
		count := min(1000, allocs-first)
		tx := store.Begin(uint64(20 + first))
		j := &api.Job{ID: fmt.Sprint("job-", first/1000), Namespace: "default", Region: "global", Type: "service", Priority: 50, Datacenters: []string{"*"}, NodePool: "default",
			TaskGroups: []*api.TaskGroup{{Name: "g", Count: count, EphemeralDisk: &api.EphemeralDisk{SizeMB: 300},
				Tasks: []*api.Task{{Name: "t", Driver: "raw_exec", Resources: &api.Resources{CPU: 100, MemoryMB: 700}}}}}}
		j.Canonicalize()
		job, _ := tx.RegisterJob(j, nil)
		resources := fit.Resources(job.TaskGroups[0], false)
		for i := range count {
			n := all[(first+i)%nodes]
			tx.PutAllocation(&api.Allocation{
				ID: fmt.Sprintf("9%07d-aaaa-4bbb-8ccc-000000000001", first+i), Name: fmt.Sprintf("%s.g[%d]", job.ID, i), Namespace: "default", JobID: job.ID, Job: job,
				TaskGroup: "g", NodeID: n.ID, NodeName: n.Name, DesiredStatus: "run", ClientStatus: "running", AllocatedResources: resources,
			})
		}
		tx.Commit()
	}
	path := filepath.Join(t.TempDir(), "cluster.snap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := consensus.WriteBackup(f, consensus.Metadata{Format: 1, ID: "1-1-1"}, store.View()); err != nil {
		t.Fatal(err)
	}
	return path
}

func runSim(t testing.TB, args ...string) (*sim.Report, string, int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(context.Background(), append([]string{"sim", "-json"}, args...), strings.NewReader(""), &stdout, &stderr, func(string) string { return "" })
	var r sim.Report
	if code != codeSimError {
		if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s%s", err, stdout.String(), stderr.String())
		}
	}
	return &r, stderr.String(), code
}

func TestSimReadsASnapshot(t *testing.T) {
	path := writeSnapshot(t, 9, 90)
	r, _, code := runSim(t, "-lose", "datacenter=b", path)
	if code != 0 || len(r.Lost) != 3 || len(r.Moves) != 30 || r.After.Total.Allocations != 90 || r.After.Datacenters["b"] != nil {
		t.Errorf("code %d, lost %v, %d moves, after %+v", code, r.Lost, len(r.Moves), r.After.Total)
	}
	if r.Spare == nil || r.Spare.Units != 6 || r.Spare.Failing != 0 {
		t.Errorf("spare: %+v", r.Spare)
	}
	r, _, code = runSim(t, "-scale", "job-0/g=1000", "-n1-by", "none", path)
	if code != codeSimShort || len(r.Unplaced) != 1 || r.Unplaced[0].Count != 1000-9*45 || r.Spare != nil {
		t.Errorf("code %d, unplaced %+v", code, r.Unplaced)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, text, code := runSim(t, path); code != codeSimError || !strings.Contains(text, path) {
		t.Errorf("a damaged snapshot: code %d, %q", code, text)
	}
}

func TestSimOfALargeCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	path := writeSnapshot(t, 5000, 100_000)
	for _, by := range []string{"node", "datacenter"} {
		start := time.Now()
		r, text, code := runSim(t, "-lose", "datacenter=b", "-n1-by", by, path)
		t.Logf("by %s: %v, %d moves, %d looked at", by, time.Since(start).Round(time.Millisecond), len(r.Moves), r.Spare.Looked)
		if code != 0 || len(r.Moves) < 33_000 {
			t.Errorf("code %d, %d moves, %s", code, len(r.Moves), text)
		}
	}
}
