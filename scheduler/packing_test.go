package scheduler_test

import (
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fit"
)

// The benchmark of packing: the cluster and the workloads of "Beware of
// Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
// Descent" (Weng et al., USENIX ATC 2023) by its protocol: pods in random order,
// with random repetitions, until 130 % of the GPU capacity has been asked for;
// each is a job, placed when it arrives or never, and none ends.
var (
	packingData  = flag.String("packing", os.Getenv("SERAI_PACKING"), "directory of the openb trace; empty: no packing benchmark")
	packingSeeds = flag.Int("packing-seeds", 10, "how many seeds")
	packingMix   = flag.String("packing-mix", "default,gpuspec33", "workloads; MIX:FACTORxKIND draws a kind (cpu, share, whole, multi) more or less often, as in default:3xshare")
)

// pod is a shape of the trace, in thousandths of CPU and GPU.
type pod struct {
	cpu, memory, gpus, milli int
	models                   string
}

func (p *pod) kind() string {
	switch {
	case p.gpus == 0:
		return "cpu"
	case p.gpus > 1:
		return "multi"
	case p.milli < 1000:
		return "share"
	}
	return "whole"
}

func TestPacking(t *testing.T) {
	if *packingData == "" {
		t.Skip("no trace: name its directory with -args -packing DIR or SERAI_PACKING (make bench-packing DATA=DIR)")
	}
	for mix := range strings.SplitSeq(*packingMix, ",") {
		workload, change, _ := strings.Cut(mix, ":")
		pods := redrawn(t, readPods(t, workload), change)
		var at100, at130 []float64
		start := time.Now()
		for seed := range *packingSeeds {
			w, capacity := packingFleet(t)
			a, b := pack(t, w, pods, capacity, int64(seed+1))
			at100, at130 = append(at100, a), append(at130, b)
		}
		line := fmt.Sprintf("%s: serai %s at 100 %%, %s at 130 %% of the capacity asked for, %d seeds, %.1f s each", mix, spread(at100), spread(at130), *packingSeeds, time.Since(start).Seconds()/float64(*packingSeeds))
		if change == "" {
			line += published(t, workload)
		}
		fmt.Println(line)
	}
}

func spread(x []float64) string {
	mean, sum := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return fmt.Sprintf("%.2f ± %.2f", mean, math.Sqrt(sum/math.Max(float64(len(x)-1), 1)))
}

func readTable(t *testing.T, file string) [][]string {
	h, err := os.Open(filepath.Join(*packingData, file))
	if err != nil {
		t.Skip("the trace is not there: ", err)
	}
	defer h.Close()
	rows, err := csv.NewReader(h).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatal(file, err)
	}
	return rows[1:]
}

func published(t *testing.T, workload string) string {
	out := "; published at 130 %:"
	for _, r := range readTable(t, "published_results_mean_sd.csv") {
		if r[0] == workload && r[2] == "130" && (r[1] == "FGD" || r[1] == "BestFit" || r[1] == "Random") {
			out += " " + r[1] + " " + r[3]
		}
	}
	return out
}

func readPods(t *testing.T, workload string) []pod {
	var pods []pod
	for _, r := range readTable(t, "openb_pod_list_"+workload+".csv") {
		n := make([]int, 4)
		for i := range n {
			n[i], _ = strconv.Atoi(r[i+1])
		}
		p := pod{n[0], n[1], n[2], n[3], r[5]}
		pods = append(pods, p)
	}
	return pods
}

// redrawn gives pods of which a kind is there more or less often.
func redrawn(t *testing.T, pods []pod, change string) []pod {
	if change == "" {
		return pods
	}
	by, kind, _ := strings.Cut(change, "x")
	factor, err := strconv.ParseFloat(by, 64)
	if err != nil {
		t.Fatal("not FACTORxKIND: ", change)
	}
	r := rand.New(rand.NewSource(7))
	var out []pod
	for _, p := range pods {
		n := 1.0
		if p.kind() == kind {
			n = factor
		}
		for ; n > 0; n-- {
			if n >= 1 || r.Float64() < n {
				out = append(out, p)
			}
		}
	}
	return out
}

func packingFleet(t *testing.T) (w *world, capacity int) {
	w = newWorld()
	for _, r := range readTable(t, "openb_node_list_gpu_node.csv") {
		n := node(r[0])
		n.NodeResources.Cpu.CpuShares, _ = strconv.ParseInt(r[1], 10, 64)
		n.NodeResources.Memory.MemoryMB, _ = strconv.ParseInt(r[2], 10, 64)
		n.NodeResources.Disk.DiskMB = 1 << 30
		gpus, _ := strconv.Atoi(r[3])
		d := &api.NodeDeviceResource{Vendor: "nvidia", Type: "gpu", Name: r[4]}
		for i := range gpus {
			d.Instances = append(d.Instances, &api.NodeDevice{ID: r[0] + "-" + strconv.Itoa(i), Healthy: true})
		}
		n.NodeResources.Devices = []*api.NodeDeviceResource{d}
		w.putNode(n)
		capacity += gpus * fit.WholeDevice
	}
	return w, capacity
}

// job gives the pod as users would write it.
func (p *pod) job(id string) *api.Job {
	j := job(id, 1)
	g := j.TaskGroups[0]
	g.EphemeralDisk.SizeMB = 10
	r := &api.Resources{CPU: p.cpu, MemoryMB: p.memory}
	g.Tasks[0].Resources = r
	if p.gpus > 0 {
		d := &api.RequestedDevice{Name: "nvidia/gpu", Count: uint64(p.gpus)}
		if p.gpus == 1 && p.milli < fit.WholeDevice {
			d.Share = float64(p.milli) / fit.WholeDevice
		}
		if p.models != "" {
			d.Constraints = []*api.Constraint{{LTarget: "${device.model}", Operand: "set_contains_any", RTarget: strings.ReplaceAll(p.models, "|", ",")}}
		}
		r.Devices = []*api.RequestedDevice{d}
	}
	return j
}

func pack(t *testing.T, w *world, pods []pod, capacity int, seed int64) (at100, at130 float64) {
	r := rand.New(rand.NewSource(seed))
	order := r.Perm(len(pods))
	share := func(n int) float64 { return 100 * float64(n) / float64(capacity) }
	asked, given := 0, 0
	for i := 0; ; i++ {
		p := &pods[r.Intn(len(pods))]
		if i < len(order) {
			p = &pods[order[i]]
		}
		size := p.gpus * p.milli
		if asked <= capacity && asked+size > capacity {
			at100 = share(given)
		}
		if asked += size; 10*asked > 13*capacity {
			return at100, share(given)
		}
		j := p.job(w.newID("pod"))
		w.putJob(j)
		e := w.eval(j)
		plan, err := w.evaluate(e)
		if err != nil {
			t.Fatal(err)
		}
		delete(w.evals, e.ID) // nothing is woken
		plan.NewEvals = nil
		w.apply(plan)
		delete(w.evals, e.ID)
		if len(plan.Placements) > 0 {
			given += size
		}
	}
}

var _ = scheduler.Schedule
