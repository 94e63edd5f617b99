package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// object is JSON in the making.
type object = map[string]any

// shape is a kind of load.
type shape struct {
	group  func(o *options, job int) object // what a job's group asks for beyond the plain one
	fill   func(o *options) []wanted        // what the fleet is filled with first
	needs  func(job int) bool               // whether the job can be placed; nil: all can
	change func(job object)                 // of the whole job
	churn  bool                             // nodes come and go
	config object                           // scheduler configuration
	cpu    int64                            // of a node; 0: nodeCPU
	memory int64                            // of a node; 0: nodeMemory
}

// wanted is a job to submit.
type wanted struct {
	id       string
	count    int
	priority int
	cpu      int
	memory   int
	extra    object
	never    bool // it cannot be placed
}

// What every simulated node has.
const (
	nodeCPU     = 64000
	nodeMemory  = 131072
	nodeDisk    = 20_000_000
	nodeGPUs    = 24
	zones       = 3
	fillPerNode = 10 // allocations that fill a node
)

var shapes = map[string]shape{
	"plain": {},
	"spread": {group: func(*options, int) object {
		return object{"Spreads": []object{{"Attribute": "${meta.zone}", "Weight": 100}}}
	}},
	"affinity": {group: func(*options, int) object {
		return object{"Affinities": []object{{"LTarget": "${meta.rack}", "RTarget": "rack-7", "Operand": "=", "Weight": 50}}}
	}},
	"distinct": {group: func(*options, int) object {
		return object{"Constraints": []object{{"Operand": "distinct_hosts", "RTarget": "true"}}}
	}},
	"constraints": {group: func(*options, int) object {
		return object{"Constraints": []object{
			{"LTarget": "${attr.kernel.name}", "RTarget": "linux", "Operand": "="},
			{"LTarget": "${attr.cpu.arch}", "RTarget": "arm64", "Operand": "!="},
			{"LTarget": "${attr.os.version}", "RTarget": ">= 11", "Operand": "version"},
			{"LTarget": "${meta.rack}", "RTarget": "rack-[0-9]+", "Operand": "regexp"},
			{"LTarget": "${meta.zone}", "RTarget": "a,b", "Operand": "set_contains_any"},
		}}
	}},
	"devices": {group: func(*options, int) object {
		return object{"Devices": []object{{"Name": "nvidia/gpu", "Count": 1}}}
	}},
	"full": {
		fill:  func(o *options) []wanted { return filling(o, fillPerNode-1, 50) },
		needs: func(job int) bool { return job%5 != 4 },
	},
	"preemption": {
		fill:   func(o *options) []wanted { return filling(o, fillPerNode, 20) },
		config: object{"PreemptionConfig": object{"SystemSchedulerEnabled": true, "BatchSchedulerEnabled": true, "ServiceSchedulerEnabled": true, "SysBatchSchedulerEnabled": true}},
		change: func(job object) { job["Priority"] = 80 },
	},
	"churn": {churn: true},
}

func shapeNames() []string { return slices.Sorted(maps.Keys(shapes)) }

// node gives the size of a node.
func (s *shape) node() (cpu, memory int64) {
	return cmp.Or(s.cpu, nodeCPU), cmp.Or(s.memory, nodeMemory)
}

// filling takes n tenths of every node.
func filling(o *options, n, priority int) []wanted {
	var out []wanted
	for i := range n {
		out = append(out, wanted{id: fmt.Sprintf("fill-%d", i), count: o.Nodes, priority: priority, cpu: nodeCPU / fillPerNode, memory: nodeMemory / fillPerNode})
	}
	return out
}

// load gives the jobs that are measured.
func (s *shape) load(o *options) []wanted {
	out := make([]wanted, o.Jobs)
	for i := range out {
		w := wanted{id: fmt.Sprintf("job-%05d", i), count: o.Count, priority: 50, cpu: 20, memory: 32}
		if s.group != nil {
			w.extra = s.group(o, i)
		}
		if s.config != nil { // what is preempted has a tenth of a node
			w.cpu = nodeCPU / fillPerNode / 4
		}
		if s.needs != nil && !s.needs(i) {
			w.cpu, w.never = nodeCPU/fillPerNode+1, true
		}
		out[i] = w
	}
	return out
}

// body gives the job as the API takes it.
func (w *wanted) body(o *options, s *shape) object {
	task := object{
		"Name": "t", "Driver": "mock_driver", "Config": object{"run_for": "1h"},
		"Resources": object{"CPU": w.cpu, "MemoryMB": w.memory},
	}
	group := object{"Name": "g", "Count": w.count, "EphemeralDisk": object{"SizeMB": 150}, "Tasks": []object{task}}
	for k, v := range w.extra {
		if k == "Devices" {
			task["Resources"].(object)[k] = v
		} else {
			group[k] = v
		}
	}
	job := object{"ID": w.id, "Name": w.id, "Type": o.Type, "Priority": w.priority, "Datacenters": []string{"dc1"}, "TaskGroups": []object{group}}
	if s.change != nil && w.priority == 50 {
		s.change(job)
	}
	return object{"Job": job}
}
