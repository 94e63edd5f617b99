package consensus

import (
	"context"
	"fmt"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

func id(n int) string { return fmt.Sprintf("%08x-1111-4222-8333-%012x", uint32(n)*2654435761, n) }

// place puts nodes, and jobs of 1,000 allocations each, in the log.
func place(t testing.TB, r *Raft, nodes, jobs int) {
	ctx := context.Background()
	do := func(c fsm.Command) any {
		a, err := r.Do(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		return a.Result
	}
	for n := range nodes {
		do(&fsm.NodeRegister{Node: &api.Node{
			ID: id(1<<24 + n), SecretID: api.Sensitive(id(1<<25 + n)), Name: fmt.Sprint("node-", n), Datacenter: "dc1", Status: api.NodeStatusReady,
			Attributes:    map[string]string{"kernel.name": "linux", "cpu.arch": "amd64", "os.name": "debian"},
			NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 1 << 20}, Memory: api.NodeMemoryResources{MemoryMB: 1 << 20}, Disk: api.NodeDiskResources{DiskMB: 1 << 20}},
		}})
	}
	for j := range jobs {
		name := fmt.Sprint("job-", j)
		job := &api.Job{Namespace: "default", ID: name, Name: name, Type: api.JobTypeService, NodePool: "default", TaskGroups: []*api.TaskGroup{{
			Name: "web", Count: 1000, Tasks: []*api.Task{{Name: "main", Driver: "mock", Resources: &api.Resources{CPU: 100, MemoryMB: 64}}},
		}}}
		out := do(&fsm.JobRegister{Job: job}).(*fsm.JobRegistered)
		p := fsm.Plan{EvalID: id(1<<26 + j), Namespace: "default", JobID: name, JobModifyIndex: out.Job.JobModifyIndex}
		for i := range 1000 {
			n := j*1000 + i
			p.Placements = append(p.Placements, fsm.Placement{
				ID: id(n), Group: "web", Index: i, NodeID: id(1<<24 + n%nodes),
				Ports: []api.PortMapping{{Label: "http", Value: 20000 + n/nodes, HostIP: "10.0.0.1"}},
			})
		}
		if got := do(&fsm.PlanApply{Plans: []fsm.Plan{p}}).(*fsm.PlanApplied); !got.Plans[0].OK() {
			t.Fatalf("%+v", got.Plans[0].Refused[0])
		}
	}
}

// TestRestartKeepsTheState opens a server that holds 10,000 allocations, once
// from the log alone and once from a snapshot.
func TestRestartKeepsTheState(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.SnapshotAfter = 1 << 30
	r := open(t, cfg)
	place(t, r, 500, 10)
	want, _ := r.fsm.Store().View().Hash()
	for _, from := range []string{"log", "snapshot"} {
		if from == "snapshot" {
			if err := r.Compact(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
		r = open(t, config(dir))
		if got, _ := r.fsm.Store().View().Hash(); got != want {
			t.Errorf("state hash is %x after a restart from the %s, %x before", got, from, want)
		}
	}
}

// BenchmarkRestart measures how long a server with 5,000 nodes and 100,000
// allocations takes from Open to serving.
func BenchmarkRestart(b *testing.B) {
	for _, from := range []string{"log", "snapshot"} {
		b.Run(from, func(b *testing.B) {
			dir := b.TempDir()
			cfg := config(dir)
			cfg.SnapshotAfter = 1 << 30
			r := open(b, cfg)
			place(b, r, 5000, 100)
			if from == "snapshot" {
				if err := r.Compact(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				b.StopTimer()
				r.Close()
				b.StartTimer()
				r = open(b, cfg)
			}
		})
	}
}
