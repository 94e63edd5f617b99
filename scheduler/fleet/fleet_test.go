package fleet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

func node(id string) *api.Node {
	return &api.Node{
		ID: id, Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible,
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 1000}, Memory: api.NodeMemoryResources{MemoryMB: 1000}, Disk: api.NodeDiskResources{DiskMB: 1000},
			Networks: []*api.NetworkResource{{IP: "10.0.0.1"}},
		},
	}
}

func alloc(id, node string, cpu int64, ports ...int) *api.Allocation {
	r := &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{"t": {Cpu: api.AllocatedCpuResources{CpuShares: cpu}}}}
	for _, p := range ports {
		r.Shared.Ports = append(r.Shared.Ports, api.PortMapping{Value: p, HostIP: "10.0.0.1"})
	}
	return &api.Allocation{ID: id, NodeID: node, AllocatedResources: r, ClientStatus: api.AllocClientRunning, DesiredStatus: api.AllocDesiredRun}
}

func cpu(t *testing.T, f *Fleet, id string) int64 {
	t.Helper()
	row, ok := f.Row(id)
	if !ok {
		t.Fatalf("no row for %s", id)
	}
	return f.Used(row).CPU
}

func TestAllocChange(t *testing.T) {
	f := New()
	f.NodeUpsert(node("n"))
	a := alloc("a", "n", 100, 80)
	f.AllocChange(nil, a)
	if got := cpu(t, f, "n"); got != 100 {
		t.Errorf("placed: %d", got)
	}
	stopping := *a
	stopping.DesiredStatus = api.AllocDesiredStop
	f.AllocChange(a, &stopping)
	if got := cpu(t, f, "n"); got != 100 {
		t.Errorf("an allocation that is being stopped takes %d", got)
	}
	over := stopping
	over.ClientStatus = api.AllocClientComplete
	f.AllocChange(&stopping, &over)
	if got := cpu(t, f, "n"); got != 0 {
		t.Errorf("over: %d", got)
	}
	f.AllocChange(&over, nil)
	grown := *alloc("a", "n", 300)
	f.AllocChange(nil, a)
	f.AllocChange(a, &grown)
	if got := cpu(t, f, "n"); got != 300 {
		t.Errorf("updated in place: %d", got)
	}
}

// TestNodeReturns removes a node while something runs on it.
func TestNodeReturns(t *testing.T) {
	f := New()
	f.NodeUpsert(node("n"))
	a := alloc("a", "n", 100)
	f.AllocChange(nil, a)
	f.NodeRemove("n")
	f.NodeRemove("unknown")
	if _, ok := f.Row("n"); ok {
		t.Error("a removed node has a row")
	}
	f.NodeUpsert(node("other"))
	f.NodeUpsert(node("n"))
	if got := cpu(t, f, "n"); got != 100 {
		t.Errorf("after its return %d is in use", got)
	}
	f.NodeRemove("n")
	f.AllocChange(a, nil)
	rows := f.Rows()
	f.NodeUpsert(node("new"))
	if f.Rows() != rows {
		t.Error("the row of a node that is gone is not used again")
	}
	if got := cpu(t, f, "new"); got != 0 {
		t.Errorf("a new node has %d in use", got)
	}
}

// TestAllocBeforeNode tells of an allocation whose node comes later.
func TestAllocBeforeNode(t *testing.T) {
	f := Load(slices.Values([]*api.Node{}), slices.Values([]*api.Allocation{alloc("a", "n", 100)}))
	if _, ok := f.Row("n"); ok {
		t.Error("an unknown node has a row")
	}
	f.NodeUpsert(node("n"))
	if got := cpu(t, f, "n"); got != 100 {
		t.Errorf("%d in use", got)
	}
}

func TestTx(t *testing.T) {
	f := New()
	f.NodeUpsert(node("n"))
	old := alloc("old", "n", 100)
	f.AllocChange(nil, old)
	row, _ := f.Row("n")
	use := &fit.Usage{CPU: 10, Allocs: 1}

	tx := f.Begin()
	tx.Take(row, use)
	mark := tx.Mark()
	tx.Release(row, f.Usage(old))
	tx.Take(row, use)
	if got := cpu(t, f, "n"); got != 20 {
		t.Errorf("taken and released: %d", got)
	}
	tx.Undo(mark)
	if got := cpu(t, f, "n"); got != 110 {
		t.Errorf("undone to the mark: %d", got)
	}
	usage := f.Usage(old)
	tx.Release(row, usage)
	tx.Retake(row, usage)
	if got := cpu(t, f, "n"); got != 110 {
		t.Errorf("retaken: %d", got)
	}
	tx.Release(row, usage)
	hold := tx.Commit()
	if got := cpu(t, f, "n"); got != 110 {
		t.Errorf("committed, what was released is taken again: %d", got)
	}
	f.Drop(hold)
	f.Drop(hold)
	f.Drop(nil)
	if got := cpu(t, f, "n"); got != 100 {
		t.Errorf("dropped: %d", got)
	}
	tx = f.Begin()
	tx.Take(row, use)
	tx.Rollback()
	if got := cpu(t, f, "n"); got != 100 {
		t.Errorf("rolled back: %d", got)
	}
}

// TestShapeFollows lets random changes happen and compares kept scores with
// those of a fleet that is built anew.
func TestShapeFollows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	f := New()
	nodes, allocs := map[string]*api.Node{}, map[string]*api.Allocation{}
	ask := &fit.Usage{CPU: 300, Memory: 100, Allocs: 1}
	score := func(c, m float64) float64 { return c + 10*m }
	for i := range 20000 {
		id := fmt.Sprint("n", rnd.IntN(20))
		switch rnd.IntN(10) {
		case 0:
			n := node(id)
			n.NodeResources.Cpu.CpuShares = int64(rnd.IntN(2000))
			nodes[id] = n
			f.NodeUpsert(n)
		default:
			key := fmt.Sprint(rnd.IntN(30))
			old := allocs[key]
			var now *api.Allocation
			if rnd.IntN(3) > 0 {
				now = alloc(key, id, int64(rnd.IntN(500)))
			}
			f.AllocChange(old, now)
			if allocs[key] = now; now == nil {
				delete(allocs, key)
			}
		}
		if i%100 != 0 && rnd.IntN(50) > 0 {
			continue
		}
		kept := f.Shape(ask, "test", score, Extra{})
		fresh := Load(maps.Values(nodes), maps.Values(allocs))
		want := fresh.Shape(ask, "test", score, Extra{})
		for id := range nodes {
			a, _ := f.Row(id)
			b, _ := fresh.Row(id)
			if kept.Short[a] != want.Short[b] || kept.Short[a] == Enough && kept.Score[a] != want.Score[b] {
				t.Fatalf("step %d, node %s: kept %v %v, anew %v %v", i, id, kept.Short[a], kept.Score[a], want.Short[b], want.Score[b])
			}
		}
	}
}

func TestManyShapes(t *testing.T) {
	f := New()
	f.NodeUpsert(node("n"))
	first := f.Shape(&fit.Usage{CPU: 1}, "x", func(c, m float64) float64 { return c }, Extra{})
	for i := range 3 * maxShapes {
		f.Shape(&fit.Usage{CPU: int64(i)}, "x", func(c, m float64) float64 { return c }, Extra{})
	}
	if len(f.shapes) > maxShapes {
		t.Errorf("%d shapes are kept", len(f.shapes))
	}
	row, _ := f.Row("n")
	f.AllocChange(nil, alloc("a", "n", 500))
	first.Sync()
	if got := first.Score[row]; got != 1-501.0/1000 {
		t.Errorf("a shape that is no longer kept has score %v", got)
	}
}

func TestPorts(t *testing.T) {
	n := node("n")
	n.NodeResources.MinDynamicPort, n.NodeResources.MaxDynamicPort = 20000, 20004
	n.ReservedResources = &api.NodeReservedResources{}
	n.ReservedResources.Networks.ReservedHostPorts = "20001, 22"
	n.HostNetworks = map[string]*api.HostNetworkInfo{
		"lan":  {CIDR: "192.168.0.0/16", ReservedPorts: "90"},
		"one":  {CIDR: "172.16.0.5/32"},
		"eth1": {Interface: "eth1"},
		"none": {CIDR: "8.8.0.0/16"},
	}
	n.NodeResources.Networks = append(n.NodeResources.Networks, &api.NetworkResource{Device: "eth1", IP: "192.168.1.1"})
	f := New()
	f.NodeUpsert(n)
	f.AllocChange(nil, alloc("a", "n", 0, 80, 20002))
	for _, c := range []struct {
		asks []PortAsk
		want string
	}{
		{[]PortAsk{{Label: "a", Static: 81, To: 8080}}, "a=10.0.0.1:81→8080"},
		{[]PortAsk{{Label: "a", Static: 80}}, "network: reserved port collision a=80"},
		{[]PortAsk{{Label: "a", Static: 80, IgnoreCollision: true}}, "a=10.0.0.1:80→0"},
		{[]PortAsk{{Label: "a", Static: 22}}, "network: reserved port collision a=22"},
		{[]PortAsk{{Label: "a", Static: 80, HostNetwork: "lan"}}, "a=192.168.1.1:80→0"},
		{[]PortAsk{{Label: "a", Static: 90, HostNetwork: "lan"}}, "network: reserved port collision a=90"},
		{[]PortAsk{{Label: "a", Static: 80, HostNetwork: "one"}}, "a=172.16.0.5:80→0"},
		{[]PortAsk{{Label: "a", Static: 80, HostNetwork: "eth1"}}, "a=192.168.1.1:80→0"},
		{[]PortAsk{{Label: "a", Static: 81, HostNetwork: "wan"}}, `network: no addresses available for "wan" network`},
		{[]PortAsk{{Label: "a", Static: 81}, {Label: "b", Static: 81}}, "network: reserved port collision b=81"},
		{[]PortAsk{{Label: "a", Static: 70000}}, "network: reserved port collision a=70000"},
		{[]PortAsk{{Label: "a"}, {Label: "b"}, {Label: "c"}, {Label: "d"}}, "network: dynamic port selection failed"},
		{[]PortAsk{{Label: "a", To: -1}, {Label: "b", Static: 20000}, {Label: "c", Static: 20004}}, "a=10.0.0.1:20003→20003 b=10.0.0.1:20000→0 c=10.0.0.1:20004→0"},
	} {
		row, _ := f.Row("n")
		for seed := range uint64(20) {
			ports, short := f.Ports(row, c.asks, seed)
			got := short.Text(c.asks)
			for i, p := range ports {
				if i > 0 {
					got += " "
				}
				got += fmt.Sprintf("%s=%s:%d→%d", p.Label, p.HostIP, p.Value, p.To)
			}
			if got != c.want {
				t.Errorf("%+v: %s, want %s", c.asks, got, c.want)
			}
			if doubled := len(c.asks) == 2; !doubled && f.PortsShort(row, c.asks) != short {
				t.Errorf("%+v: PortsShort gives %q", c.asks, f.PortsShort(row, c.asks).Text(c.asks))
			}
		}
	}
}

func TestBits(t *testing.T) {
	a, b := NewBits(130), NewBits(70)
	for _, r := range []int32{0, 63, 64, 129} {
		a.Set(r, true)
	}
	b.Set(63, true)
	if a.Count() != 4 || a.CountMissing(b) != 3 || b.Has(129) || !a.Has(129) {
		t.Error("counts")
	}
	c := a.Clone()
	c.AndNot(b)
	if got := slices.Collect(c.Rows()); !slices.Equal(got, []int32{0, 64, 129}) {
		t.Errorf("without b: %v", got)
	}
	a.And(b)
	if got := slices.Collect(a.Rows()); !slices.Equal(got, []int32{63}) {
		t.Errorf("with b: %v", got)
	}
	a.Set(63, false)
	if a.Count() != 0 {
		t.Error("not empty")
	}
}

func TestColumn(t *testing.T) {
	f := New()
	dc := func(id, dc string) { n := node(id); n.Datacenter = dc; f.NodeUpsert(n) }
	dc("a", "x")
	c := f.Datacenter()
	dc("b", "y")
	dc("a", "y")
	if got := c.Tally(f.Ready()); !maps.Equal(got, map[string]int{"y": 2}) {
		t.Errorf("tally %v", got)
	}
	f.NodeRemove("a")
	if got := c.Tally(f.Ready()); !maps.Equal(got, map[string]int{"y": 1}) {
		t.Errorf("tally %v after a node left", got)
	}
}
