package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/state"
)

// A cluster that no machine here could run is written as a snapshot file and
// restored through the API: the agent under test then holds it as it would hold
// its own.

// id makes a UUID that is the same in every run.
func id(kind, n int) string {
	return fmt.Sprintf("%08x-%04x-4000-8000-%012x", uint32(n)*2654435761, kind, n)
}

// writeCluster writes a snapshot of nodes and jobs; each job has allocations
// that run, with the states and metrics that real ones have.
func writeCluster(w io.Writer, nodes, jobs, each int) error {
	s := state.New()
	tx := s.Begin(10)
	now := time.Now()
	for i := range nodes {
		tx.PutNode(node(i, now))
	}
	tx.Commit()
	index := uint64(20)
	for i := range jobs {
		if err := putJob(s.Begin(index), index, i, nodes, each, now); err != nil {
			return err
		}
		index++
	}
	return consensus.WriteBackup(w, consensus.Metadata{Format: 1, ID: "bench", Index: index, Term: 1, Time: now.UTC()}, s.View())
}

// saveCluster writes a cluster of a shape to a file.
func saveCluster(path, shape string) error {
	var nodes, jobs, each int
	if _, err := fmt.Sscanf(shape, "%dx%dx%d", &nodes, &jobs, &each); err != nil || nodes < 1 || jobs < 1 || each < 1 {
		return fmt.Errorf("-shape %s: want NODESxJOBSxALLOCATIONS, such as 5000x500x100", shape)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := writeCluster(f, nodes, jobs, each); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func node(i int, now time.Time) *api.Node {
	return &api.Node{
		ID: id(1, i), SecretID: api.Sensitive(id(2, i)), Datacenter: "dc1", Name: fmt.Sprintf("node-%d", i), HTTPAddr: fmt.Sprintf("10.0.%d.%d:4646", i/250, i%250),
		Attributes: map[string]string{"kernel.name": "linux", "cpu.arch": "amd64", "cpu.numcores": "16", "driver.mock_driver": "1", "os.name": "debian",
			"unique.hostname": fmt.Sprintf("node-%d", i), "memory.totalbytes": "68719476736"},
		NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 64000, TotalCpuCores: 16}, Memory: api.NodeMemoryResources{MemoryMB: 65536},
			Disk: api.NodeDiskResources{DiskMB: 500000}, MinDynamicPort: 20000, MaxDynamicPort: 32000},
		Meta: map[string]string{"rack": fmt.Sprintf("rack-%03d", i/40)}, NodePool: api.NodePoolDefault, ComputedClass: fmt.Sprintf("v1:%d", i%8), SchedulingEligibility: api.NodeEligible, Status: api.NodeStatusReady,
		StatusUpdatedAt: now.Unix(), Drivers: map[string]*api.DriverInfo{"mock_driver": {Detected: true, Healthy: true, UpdateTime: now}},
	}
}

func putJob(tx *state.Tx, index uint64, i, nodes, each int, now time.Time) error {
	name := fmt.Sprintf("job-%05d", i)
	text, err := json.Marshal(job(name, "service", each, "mock_driver", map[string]any{"run_for": "1h"})["Job"])
	if err != nil {
		return err
	}
	j := new(api.Job)
	if err := json.Unmarshal(text, j); err != nil {
		return err
	}
	j.Canonicalize()
	j.SubmitTime = now.UnixNano()
	stored, _ := tx.RegisterJob(j, nil)
	eval := &api.Evaluation{ID: id(3, i), Namespace: stored.Namespace, Priority: 50, Type: stored.Type, TriggeredBy: "job-register", JobID: name,
		Status: "complete", CreateTime: now.UnixNano(), ModifyTime: now.UnixNano()}
	tx.PutEvaluation(eval)
	resources := &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{"t": {
		Cpu: api.AllocatedCpuResources{CpuShares: 1}, Memory: api.AllocatedMemoryResources{MemoryMB: 10}}}, Shared: api.AllocatedSharedResources{DiskMB: 10}}
	metrics := &api.AllocationMetric{NodesEvaluated: nodes, NodesInPool: nodes, NodesAvailable: map[string]int{"dc1": nodes},
		ScoreMetaData: []*api.NodeScoreMeta{{NodeID: id(1, i%nodes), Scores: map[string]float64{"binpack": 0.5}, NormScore: 0.5}}}
	for k := range each {
		n := (i*each + k) % nodes
		at := now.UnixNano()
		tx.PutAllocation(&api.Allocation{
			ID: id(4, i*each+k), Namespace: stored.Namespace, EvalID: eval.ID, Name: fmt.Sprintf("%s.g[%d]", name, k), NodeID: id(1, n), NodeName: fmt.Sprintf("node-%d", n),
			JobID: name, Job: stored, TaskGroup: "g", AllocatedResources: resources, Metrics: metrics, DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientRunning,
			ClientDescription: "Tasks are running", CreateTime: at, ModifyTime: at,
			TaskStates: map[string]*api.TaskState{"t": {State: api.TaskStateRunning, StartedAt: now, Events: []*api.TaskEvent{
				{Type: api.TaskReceived, Time: at, DisplayMessage: "Task received by client"},
				{Type: api.TaskSetup, Time: at, DisplayMessage: "Building Task Directory"},
				{Type: api.TaskStarted, Time: at, DisplayMessage: "Task started by client"},
			}}},
		})
	}
	tx.Commit()
	return nil
}

// stateHeap gives the bytes of live heap that a restored cluster takes, measured
// in this process: the server's own heap cannot be made to collect from outside.
func stateHeap(nodes, jobs, each int) (float64, error) {
	var file, plain bytes.Buffer
	if err := writeCluster(&file, nodes, jobs, each); err != nil {
		return 0, err
	}
	if _, err := consensus.ReadBackup(&file, &plain); err != nil {
		return 0, err
	}
	before := liveHeap()
	held, err := state.ReadSnapshot(&plain)
	if err != nil {
		return 0, err
	}
	after := liveHeap()
	runtime.KeepAlive(held)
	runtime.KeepAlive(&plain) // both are there before and after
	runtime.KeepAlive(&file)
	return after - before, nil
}

// liveHeap collects twice, as pools keep what they hold for one collection.
func liveHeap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
