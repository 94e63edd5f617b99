package why_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/scheduler/sim"
	"github.com/seraihq/serai/scheduler/why"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld() *sim.World { return sim.NewWorld(nil, fleet.New(), noon) }

func input(w *sim.World) why.Input { return why.Input{State: w, Fleet: w.Fleet(), Now: noon} }

// spec is the key=value words of a line; "~" in values stands for a blank.
type spec map[string]string

func parseSpec(words []string) spec {
	s := spec{}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		s[k] = strings.ReplaceAll(v, "~", " ")
	}
	return s
}

func (s spec) number(key string, otherwise int) int {
	if n, err := strconv.Atoi(s[key]); err == nil {
		return n
	}
	return otherwise
}

func (s spec) text(key, otherwise string) string {
	if v, ok := s[key]; ok {
		return v
	}
	return otherwise
}

func makeNode(id string, s spec) *api.Node {
	n := &api.Node{
		ID: id, Name: id, Datacenter: s.text("dc", "dc1"), NodePool: s.text("pool", "default"), NodeClass: s["class"],
		Status: s.text("status", "ready"), SchedulingEligibility: s.text("eligibility", "eligible"),
		Attributes: map[string]string{"kernel.name": s.text("kernel", "linux"), "rack": s["rack"]},
		Drivers: map[string]*api.DriverInfo{s.text("driver", "mock"): {Detected: true, Healthy: true},
			"exec": {HealthDescription: s.text("exec", "")}},
		NodeMaxAllocs: s.number("max_allocs", 0),
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: int64(s.number("cpu", 4000))}, Memory: api.NodeMemoryResources{MemoryMB: int64(s.number("memory", 8000))},
			Disk: api.NodeDiskResources{DiskMB: 100000}, Networks: []*api.NetworkResource{{Mode: "host", IP: "10.0.0.1"}},
		},
	}
	for i := range s.number("cores", 0) {
		n.NodeResources.Cpu.ReservableCpuCores = append(n.NodeResources.Cpu.ReservableCpuCores, uint16(i))
		n.NodeResources.Cpu.TotalCpuCores++
	}
	if gpus := s.number("gpus", 0); gpus > 0 {
		d := &api.NodeDeviceResource{Vendor: "nvidia", Type: "gpu", Name: "a100"}
		for i := range gpus {
			d.Instances = append(d.Instances, &api.NodeDevice{ID: strconv.Itoa(i), Healthy: true})
		}
		n.NodeResources.Devices = []*api.NodeDeviceResource{d}
	}
	if s["drain"] != "" {
		n.DrainStrategy, n.SchedulingEligibility = &api.DrainStrategy{}, api.NodeIneligible
	}
	n.ComputedClass = n.NodeClass
	return n
}

func makeJob(id string, s spec) *api.Job {
	g := &api.TaskGroup{Name: "g", Count: s.number("count", 1), EphemeralDisk: &api.EphemeralDisk{SizeMB: s.number("disk", 300)}, Tasks: []*api.Task{{
		Name: "t", Driver: s.text("driver", "mock"), Resources: &api.Resources{CPU: s.number("cpu", 500), MemoryMB: s.number("memory", 256)},
	}}}
	r := g.Tasks[0].Resources
	if n := s.number("cores", 0); n > 0 {
		r.Cores, r.CPU = n, 0
	}
	if n := s.number("gpus", 0); n > 0 {
		r.Devices = []*api.RequestedDevice{{Name: "nvidia/gpu", Count: uint64(n)}}
	}
	if p := s.number("port", 0); p > 0 {
		g.Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: p}}}}
	}
	if c := s["constraint"]; c != "" {
		for one := range strings.SplitSeq(c, ";") {
			w := strings.SplitN(one, " ", 3)
			x := &api.Constraint{LTarget: strings.TrimPrefix(w[0], "-"), Operand: w[1]}
			if len(w) == 3 {
				x.RTarget = w[2]
			}
			g.Constraints = append(g.Constraints, x)
		}
	}
	g.AllAtOnce = s["gang"] != ""
	return &api.Job{
		ID: id, Name: id, Namespace: "default", Region: "global", Type: s.text("type", "service"), Priority: s.number("priority", 50),
		Datacenters: strings.Split(s.text("dc", "*"), ","), NodePool: s.text("pool", "default"), TaskGroups: []*api.TaskGroup{g},
	}
}

// run makes a job the current version of itself, and places what can be placed.
func run(t testing.TB, w *sim.World, j *api.Job) {
	t.Helper()
	if old, ok := w.Job(j.Namespace, j.ID); ok {
		j.Version, j.CreateIndex = old.Version+1, old.CreateIndex
	}
	w.PutJob(j)
	for range 3 { // what was stopped makes room for what comes next
		p, err := w.Schedule(j, false)
		if err != nil {
			t.Fatal(err)
		}
		w.Apply(p)
		if len(p.Placements)+len(p.Stops) == 0 {
			break
		}
	}
}

func find(t testing.TB, w *sim.World, name string) *api.Allocation {
	t.Helper()
	job, _, _ := strings.Cut(name, ".")
	var found *api.Allocation
	for a := range w.AllocationsByJob("default", job) {
		if a.Name == name {
			found = a
		}
	}
	if found == nil {
		t.Fatalf("there is no allocation %s", name)
	}
	return found
}

// write writes down an answer.
func write(b *strings.Builder, j *api.JobWhy) {
	fmt.Fprintf(b, "%s\n", j.Summary)
	for _, n := range j.Notes {
		fmt.Fprintf(b, "  also: %s\n", n)
	}
	for _, g := range j.Groups {
		fmt.Fprintf(b, "group %s: wanted %d, running %d, unplaced %d\n", g.Name, g.Wanted, g.Running, g.Unplaced)
		writeFunnel(b, g.Funnel)
		for _, s := range g.Scores {
			fmt.Fprintf(b, "  score %s %.3f\n", s.NodeID, s.NormScore)
		}
		for _, s := range g.Suggestions {
			fmt.Fprintf(b, "  places %d of %d: %s\n", s.Places, s.Of, s.Text)
		}
	}
}

func writeFunnel(b *strings.Builder, f *api.PlacementFunnel) {
	fmt.Fprintf(b, "  %d nodes\n", f.Nodes)
	for _, s := range f.Steps {
		if s.Removed == 0 {
			continue
		}
		fmt.Fprintf(b, "  -%d %s: %s", s.Removed, s.Stage, s.Reason)
		for _, k := range slices.Sorted(maps.Keys(s.Detail)) {
			fmt.Fprintf(b, " %s=%d", k, s.Detail[k])
		}
		if s.Nearest != nil {
			fmt.Fprintf(b, " (nearest %s: %s)", s.Nearest.NodeName, why.Lacks(s.Nearest))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "  %d candidates\n", f.Candidates)
}
