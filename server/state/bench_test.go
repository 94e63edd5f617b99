package state

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// cluster is a store with many allocations, as plans make them: jobs of 1,000
// on 5,000 nodes.
func cluster(tb testing.TB, allocs int, portless ...bool) (*Store, []*api.Job, []*api.Node) {
	s := New()
	var nodes []*api.Node
	commit(s, 10, func(tx *Tx) {
		for i := range 5000 {
			nodes = append(nodes, testNode(i))
			tx.PutNode(nodes[i])
		}
	})
	var jobs []*api.Job
	for j := range (allocs + 999) / 1000 {
		commit(s, uint64(100+j), func(tx *Tx) {
			job, _ := tx.RegisterJob(testJob(fmt.Sprint("job-", j), 1000), nil)
			jobs = append(jobs, job)
			base := fit.Resources(job.TaskGroups[0], false)
			metrics := &api.AllocationMetric{NodesEvaluated: 5000}
			e := testEval(j, job, api.EvalComplete)
			tx.PutEvaluation(e)
			for i := range min(1000, allocs-j*1000) {
				n := j*1000 + i
				a := testAllocation(n, job, nodes[(n*7)%len(nodes)], base, e.ID)
				a.Metrics = metrics
				if len(portless) > 0 {
					a.AllocatedResources = base
				}
				tx.PutAllocation(a)
			}
		})
	}
	return s, jobs, nodes
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemoryPerAllocation keeps the budget of 1 KiB for an allocation with all
// its indexes.
func TestMemoryPerAllocation(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	const n = 50000
	start := heap()
	empty, _, _ := cluster(t, 0)
	nodes := heap() - start
	for name, portless := range map[string][]bool{"without a port": {true}, "with a port": nil} {
		before := heap()
		s, _, _ := cluster(t, n, portless...)
		each := (heap() - before - nodes) / n
		runtime.KeepAlive(s)
		t.Logf("%d bytes per allocation %s, %d per node", each, name, nodes/5000)
		if limit := uint64(1024 + 256*(1-len(portless))); each > limit { // what its node has in use is in it
			t.Errorf("an allocation %s takes %d bytes", name, each)
		}
	}
	runtime.KeepAlive(empty)
}

func BenchmarkInsertAllocation(b *testing.B) {
	s, jobs, nodes := cluster(b, 100000)
	base := fit.Resources(jobs[0].TaskGroups[0], false)
	index, n := uint64(1000), 100000
	tx := s.Begin(index)
	b.ReportAllocs()
	for b.Loop() {
		tx.PutAllocation(testAllocation(n, jobs[n%len(jobs)], nodes[(n*7)%len(nodes)], base, "e"))
		if n++; n%1000 == 0 {
			tx.Commit()
			index++
			tx = s.Begin(index)
		}
	}
	tx.Commit()
}

func BenchmarkUpdateAllocation(b *testing.B) {
	s, _, _ := cluster(b, 100000)
	index, n := uint64(1000), 0
	tx := s.Begin(index)
	b.ReportAllocs()
	for b.Loop() {
		old, _ := tx.Allocation(uuid((n * 7919) % 100000))
		a := *old
		a.ClientStatus = api.AllocClientRunning
		tx.UpdateAllocation(&a)
		if n++; n%100 == 0 {
			tx.Commit()
			index++
			tx = s.Begin(index)
		}
	}
	tx.Commit()
}

func BenchmarkView(b *testing.B) {
	s, _, _ := cluster(b, 10000)
	for b.Loop() {
		s.View()
	}
}

func BenchmarkAllocationsByJob1000(b *testing.B) {
	s, _, _ := cluster(b, 100000)
	v := s.View()
	for b.Loop() {
		n := 0
		for range v.AllocationsByJob("default", "job-50") {
			n++
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkSnapshot100k(b *testing.B) {
	s, _, _ := cluster(b, 100000)
	v := s.View()
	var size int64
	for b.Loop() {
		c := &count{}
		if err := v.WriteSnapshot(c); err != nil {
			b.Fatal(err)
		}
		size = c.n
	}
	b.ReportMetric(float64(size)/100000, "B/alloc")
}

type count struct{ n int64 }

func (c *count) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func BenchmarkRestore100k(b *testing.B) {
	s, _, _ := cluster(b, 100000)
	var buf bytes.Buffer
	if err := s.View().WriteSnapshot(&buf); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ReadSnapshot(io.Reader(bytes.NewReader(buf.Bytes()))); err != nil {
			b.Fatal(err)
		}
	}
}
