package fsm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
	"github.com/seraihq/serai/server/state"
)

var update = flag.Bool("update", false, "write golden files for commands that have none")

func uuid(n int) string { return fmt.Sprintf("%08x-1111-4222-8333-%012x", n, n) }

// sampleType makes a value of any type with something in every field, the
// same each time, so that no field is forgotten by a codec or a golden file.
func sampleType(t reflect.Type, seed *int, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	*seed++
	switch t.Kind() {
	case reflect.Pointer:
		if depth < 6 {
			v.Set(reflect.New(t.Elem()))
			v.Elem().Set(sampleType(t.Elem(), seed, depth+1))
		}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1700000000+int64(*seed), int64(*seed)).UTC()))
			break
		}
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				v.Field(i).Set(sampleType(t.Field(i).Type, seed, depth+1))
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{byte(*seed), 2})
		} else if depth < 6 {
			v.Set(reflect.Append(v, sampleType(t.Elem(), seed, depth+1)))
		}
	case reflect.Map:
		if depth < 6 {
			v.Set(reflect.MakeMap(t))
			v.SetMapIndex(sampleType(t.Key(), seed, depth+1), sampleType(t.Elem(), seed, depth+1))
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf("any"))
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d", *seed))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*seed))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*seed % 200))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*seed) / 4)
	default:
		panic(t.String())
	}
	return v
}

func sample(d definition) Command {
	seed := int(d.number) * 1000
	c := d.new()
	reflect.ValueOf(c).Elem().Set(sampleType(reflect.TypeOf(c).Elem(), &seed, 0))
	if p, ok := c.(*ProtocolRaise); ok {
		p.Version = 1 // a build applies no other than it knows
	}
	if p, ok := c.(*PlanApply); ok {
		p.Plans[0].EvalID, p.Plans[0].Placements[0].ID, p.Plans[0].Placements[0].NodeID = uuid(1), uuid(2), uuid(3)
	}
	return c
}

// TestEveryFieldSurvives encodes and decodes every command with every field set.
func TestEveryFieldSurvives(t *testing.T) {
	for _, d := range definitions {
		want := sample(d)
		b, err := Encode(want)
		if err != nil {
			t.Fatal(d.name, err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatal(d.name, err)
		}
		if !wire.Same(want, got) {
			t.Errorf("%s: decoded\n%+v\nfrom\n%+v", d.name, got, want)
		}
		again, _ := Encode(got)
		if !bytes.Equal(b, again) {
			t.Errorf("%s: encoding it twice gives different bytes", d.name)
		}
		if Name(b) != d.name {
			t.Errorf("name of %s is %s", d.name, Name(b))
		}
	}
}

// TestGolden decodes what earlier versions wrote: one file per command and
// version of its form. A file is never changed; a new form gets a new file.
func TestGolden(t *testing.T) {
	for _, d := range definitions {
		files, _ := filepath.Glob(filepath.Join("testdata", d.name+".*.hex"))
		if len(files) == 0 {
			if !*update {
				t.Errorf("%s has no golden file; run with -update", d.name)
				continue
			}
			b, _ := Encode(sample(d))
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			files = []string{filepath.Join("testdata", d.name+".1.hex")}
			if err := os.WriteFile(files[0], fold(hex.EncodeToString(b)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
			if err != nil {
				t.Fatal(file, err)
			}
			c, err := Decode(b)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if reflect.TypeOf(c) != reflect.TypeOf(d.new()) {
				t.Errorf("%s decodes to %T", file, c)
			}
			if x, ok := c.(*PlanApply); ok && x.Plans[0].Placements[0].NodeID != uuid(3) {
				t.Errorf("%s: node is %q", file, x.Plans[0].Placements[0].NodeID)
			}
			if x, ok := c.(*AllocUpdate); ok && (len(x.Updates) != 1 || x.Updates[0].ClientStatus == "" || len(x.Updates[0].TaskStates) != 1) {
				t.Errorf("%s: updates are %+v", file, x.Updates)
			}
		}
	}
}

func fold(s string) []byte {
	var b bytes.Buffer
	for len(s) > 100 {
		b.WriteString(s[:100] + "\n")
		s = s[100:]
	}
	b.WriteString(s + "\n")
	return b.Bytes()
}

func TestUnknownIsFatal(t *testing.T) {
	for name, entry := range map[string][]byte{
		"empty": {}, "one byte": {1}, "unknown number": {0xff, 0xff}, "garbage": {0, 1, 0xff, 0xff}, "cut plan": {0, 7, 1},
	} {
		s := state.New()
		f := New(s)
		if _, err := f.Apply(10, entry); !Fatal(err) {
			t.Errorf("%s: %v", name, err)
		}
		if s.View().Index() >= 10 {
			t.Errorf("%s: the entry counts as applied", name)
		}
	}
}

func TestNumbersAreUnique(t *testing.T) {
	names := map[string]bool{}
	for _, d := range definitions {
		if names[d.name] || byNumber[d.number].name != d.name {
			t.Errorf("%s: number %d or name is used twice", d.name, d.number)
		}
		names[d.name] = true
	}
}

func FuzzDecode(f *testing.F) {
	for _, d := range definitions {
		b, _ := Encode(sample(d))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFatal) {
				t.Fatal(err)
			}
			return
		}
		if _, err := Encode(c); err != nil {
			t.Fatalf("%T was decoded and cannot be encoded: %v", c, err)
		}
		// Whatever can be decoded is applied or refused: a panic here would
		// come back with every restart.
		r := newReplica()
		r.must(t, &NodeRegister{Node: node(1)})
		r.must(t, &JobRegister{Job: job("j", 1)})
		if _, err := r.Apply(100, b); err != nil && Fatal(err) {
			t.Fatal(err)
		}
		if _, err := r.Store().View().Hash(); err != nil {
			t.Fatal(err)
		}
	})
}

// replica applies entries.
type replica struct {
	*FSM
	index uint64
}

func newReplica() *replica { return &replica{FSM: New(state.New()), index: 10} }

// do applies a command by its bytes, as the log would.
func (r *replica) do(t testing.TB, c Command) (any, error) {
	t.Helper()
	b, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	r.index++
	result, err := r.Apply(r.index, b)
	if err != nil && Fatal(err) {
		t.Fatal(err)
	}
	return result, err
}

func (r *replica) must(t testing.TB, c Command) any {
	t.Helper()
	result, err := r.do(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func job(id string, cpu int) *api.Job {
	return &api.Job{
		Region: "global", Namespace: "default", ID: id, Name: id, Type: api.JobTypeService, Priority: 50, NodePool: "default", Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{{
			Name: "web", Count: 3, EphemeralDisk: &api.EphemeralDisk{SizeMB: 10},
			Networks: []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}},
			Tasks:    []*api.Task{{Name: "main", Driver: "mock", Config: map[string]any{"n": int64(cpu)}, Resources: &api.Resources{CPU: cpu, MemoryMB: 100}}},
		}},
	}
}

func node(n int) *api.Node {
	return &api.Node{
		ID: uuid(1000 + n), SecretID: api.Sensitive(uuid(2000 + n)), Name: fmt.Sprint("n", n), Datacenter: "dc1", Status: api.NodeStatusReady,
		NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 1000}, Memory: api.NodeMemoryResources{MemoryMB: 1000}, Disk: api.NodeDiskResources{DiskMB: 1000}},
	}
}

func eval(n int, j *api.Job, status string) *api.Evaluation {
	return &api.Evaluation{ID: uuid(3000 + n), Namespace: j.Namespace, JobID: j.ID, Type: j.Type, Priority: 50, Status: status}
}

// halfway is a command that is refused when it has changed something already.
type halfway struct{ Node *api.Node }

func (c *halfway) apply(tx *state.Tx) (any, error) {
	if c.Node != nil { // FuzzDecode makes it without
		tx.PutNode(c.Node)
	}
	return "half", errors.New("refused halfway")
}

func init() {
	d := define[halfway](65535, "halfway")
	byNumber[d.number], byType[reflect.TypeFor[*halfway]()] = d, d
}

// An entry that was refused leaves nothing, whatever it was applied together
// with; one that cannot be applied ends it for all that follow.
func TestBatch(t *testing.T) {
	r := newReplica()
	_, sub := r.Store().Subscribe(10)
	defer sub.Close()
	entry := func(index uint64, c Command) Entry {
		data, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		return Entry{index, data}
	}
	out := r.ApplyBatch([]Entry{
		entry(11, &NodeRegister{Node: node(1)}),
		entry(12, &NodeStatus{Updates: []NodeStatusUpdate{{NodeID: node(1).ID, Status: api.NodeStatusReady}}}),
		entry(14, &halfway{Node: node(2)}),
		entry(15, &NodeRegister{Node: node(3)}),
		{Index: 16, Data: []byte{0xff, 0xfe, 0}},
		entry(17, &NodeRegister{Node: node(4)}),
	})
	var got []string
	for _, o := range out {
		switch {
		case o.Err == nil:
			got = append(got, "applied")
		case Fatal(o.Err):
			got = append(got, "fatal")
		default:
			got = append(got, o.Err.Error())
		}
	}
	if want := []string{"applied", "applied", "refused halfway", "applied", "fatal", "fatal"}; !slices.Equal(got, want) {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	v := r.Store().View()
	var nodes []string
	for n := range v.Nodes() {
		nodes = append(nodes, fmt.Sprint(n.ID, " ", n.CreateIndex, " ", n.ModifyIndex, " ", n.Status))
	}
	one, three := node(1).ID+" 11 12 ready", node(3).ID+" 15 15 ready"
	if want := []string{one, three}; v.Index() != 15 || !slices.Equal(nodes, want) {
		t.Errorf("at index %d: %q, want %q", v.Index(), nodes, want)
	}
	for _, want := range []uint64{11, 12, 15} {
		c, ok, err := sub.Try()
		if !ok || err != nil || c.Index != want || c.View.Index() < want {
			t.Fatalf("commit %d of %d changes, %v, %v; want that of %d", c.Index, len(c.Changes), ok, err, want)
		}
	}
}

// TestReplicasAgree applies one random log to two servers, to one of them in
// batches, restores that from a snapshot on the way, and compares their hashes.
func TestReplicasAgree(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { replicasAgree(t, rand.New(rand.NewPCG(seed, 9))) })
	}
}

func replicasAgree(t *testing.T, random *rand.Rand) {
	a, b := newReplica(), newReplica()
	var batch []Entry
	var refusals []string
	for n := range 600 {
		c := randomCommand(random, n, a.Store().View())
		if random.IntN(20) == 0 {
			c = &halfway{Node: node(random.IntN(5))}
		}
		_, err := a.do(t, c)
		data, _ := Encode(c)
		batch, refusals = append(batch, Entry{a.index, data}), append(refusals, fmt.Sprint(err))
		if random.IntN(6) == 0 || n%40 == 39 || n%150 == 149 {
			for i, o := range b.ApplyBatch(batch) {
				if fmt.Sprint(o.Err) != refusals[i] {
					t.Fatalf("entry %d of %d: %s here, %v there", i, len(batch), refusals[i], o.Err)
				}
			}
			batch, refusals = nil, nil
		}
		if n%40 == 39 {
			x, _ := a.Store().View().Hash()
			y, _ := b.Store().View().Hash()
			if x != y {
				t.Fatalf("after %d entries (%T last) the hashes are %x and %x", n, c, x, y)
			}
		}
		if n%150 == 149 { // one goes on from a snapshot of the other
			var buf bytes.Buffer
			if err := a.Store().View().WriteSnapshot(&buf); err != nil {
				t.Fatal(err)
			}
			if err := b.Store().Restore(&buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkInvariants(t, a.Store().View())
}

func randomCommand(random *rand.Rand, n int, v *state.View) Command {
	j := job(fmt.Sprint("j", random.IntN(6)), 50+10*random.IntN(3))
	pick := func() string { return uuid(100000 + random.IntN(max(n*3, 1))) }
	switch random.IntN(15) {
	case 12, 13, 14:
		return randomDeployment(random, n, v)
	case 0:
		return &NodeRegister{Node: node(random.IntN(5)), Time: int64(n)}
	case 1, 2:
		return &JobRegister{Job: j, Eval: eval(n, j, api.EvalPending), Submission: &api.JobSubmission{Source: fmt.Sprint(n)}}
	case 3:
		return &JobDeregister{Namespace: "default", ID: j.ID, Purge: random.IntN(2) == 0, Time: int64(n), Eval: eval(n, j, api.EvalPending)}
	case 4:
		return &AllocUpdate{Time: int64(n), Updates: []ClientUpdate{{ID: pick(), ClientStatus: []string{"running", "failed", "complete"}[random.IntN(3)]}}}
	case 5:
		return &NodeStatus{Updates: []NodeStatusUpdate{{NodeID: node(random.IntN(5)).ID, Status: []string{"ready", "down"}[random.IntN(2)]}}, Time: int64(n)}
	case 6:
		return &Reap{Allocs: []string{pick(), pick()}, Evals: []string{uuid(3000 + random.IntN(n+1))}, Jobs: []JobRef{{"default", j.ID, 1 << 40}}}
	case 7:
		return &JobStability{Namespace: "default", ID: j.ID, Version: uint64(random.IntN(3)), Stable: true}
	default:
		return randomPlan(random, n, j, v, pick)
	}
}

func randomPlan(random *rand.Rand, n int, j *api.Job, v *state.View, pick func() string) Command {
	p := Plan{EvalID: uuid(3000 + n), Namespace: "default", JobID: j.ID, Metrics: []*api.AllocationMetric{{NodesEvaluated: n}}}
	if stored, ok := v.Job("default", j.ID); ok {
		p.JobModifyIndex = stored.JobModifyIndex
		for i := range random.IntN(4) {
			p.Placements = append(p.Placements, Placement{
				ID: uuid(100000 + 3*n + i), Version: stored.Version, Group: "web", Index: i, NodeID: node(random.IntN(5)).ID,
				Metric: random.IntN(2), Deployment: true, Canary: random.IntN(2) == 0, Ports: []api.PortMapping{{Label: "http", Value: 20000 + random.IntN(6)}},
			})
		}
	}
	for d := range v.ActiveDeploymentsByJob("default", j.ID) {
		p.DeploymentID = d.ID
	}
	p.Stops = []Stop{{AllocID: pick(), Description: "test"}}
	p.Updates = []InPlace{{AllocID: pick(), Version: 0}}
	return &PlanApply{Time: int64(n), Plans: []Plan{p}}
}

// checkInvariants looks for over-committed nodes and wrong sums.
func checkInvariants(t *testing.T, v *state.View) {
	t.Helper()
	live := 0
	for n := range v.Nodes() {
		var cpu, memory, heldCPU, heldMemory int64
		ports := map[int]string{}
		for a := range v.AllocationsByNode(n.ID) {
			for _, r := range a.AllocatedResources.Tasks {
				if !a.ClientTerminal() { // also what is being stopped holds its room
					heldCPU += r.Cpu.CpuShares
					heldMemory += r.Memory.MemoryMB
				}
				if !a.Terminal() {
					cpu += r.Cpu.CpuShares
					memory += r.Memory.MemoryMB
				}
			}
			if a.Terminal() {
				continue
			}
			live++
			for _, p := range a.AllocatedResources.Shared.Ports {
				if other, taken := ports[p.Value]; taken {
					t.Errorf("node %s: port %d is held by %s and %s", n.Name, p.Value, other, a.ID)
				}
				ports[p.Value] = a.ID
			}
		}
		if cpu > n.NodeResources.Cpu.CpuShares || memory > n.NodeResources.Memory.MemoryMB {
			t.Errorf("node %s is over-committed: %d MHz, %d MB", n.Name, cpu, memory)
		}
		if u, ok := v.NodeUsage(n.ID); ok && (u.CPU != heldCPU || u.Memory != heldMemory) {
			t.Errorf("node %s: usage row says %d MHz, %d MB; allocations say %d, %d", n.Name, u.CPU, u.Memory, heldCPU, heldMemory)
		}
	}
	if live == 0 {
		t.Error("nothing was placed; the test tests nothing")
	}
}

// TestEmptyCommandsDoNotPanic applies every command as its zero value, and
// with nothing where a pointer or an element should be.
func TestEmptyCommandsDoNotPanic(t *testing.T) {
	for _, d := range definitions {
		cases := map[string]Command{"zero": d.new()}
		typ := reflect.TypeOf(d.new()).Elem()
		for i := range typ.NumField() {
			f := typ.Field(i)
			c := sample(d)
			v := reflect.ValueOf(c).Elem().Field(i)
			switch {
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Pointer:
				v.Set(reflect.Append(reflect.MakeSlice(f.Type, 0, 1), reflect.Zero(f.Type.Elem())))
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				v.Set(reflect.Append(reflect.MakeSlice(f.Type, 0, 1), reflect.Zero(f.Type.Elem())))
			default:
				v.SetZero()
			}
			cases[f.Name] = c
		}
		for name, c := range cases {
			r := newReplica()
			r.must(t, &NodeRegister{Node: node(1)})
			r.must(t, &JobRegister{Job: job("j", 1)})
			b, err := wire.Marshal(c) // also those with a form of their own, which writes no nil
			if _, own := c.(compact); own {
				b, err = Encode(c)
				if err == nil {
					b = b[2:]
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%s without %s: %v", d.name, name, p)
					}
				}()
				_, _ = r.Apply(100, append([]byte{byte(d.number >> 8), byte(d.number)}, b...))
			}()
		}
	}
}
