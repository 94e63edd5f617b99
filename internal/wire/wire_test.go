package wire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
)

// TestNoStoredFieldIsLeftOut looks through the types that the log and
// snapshots hold: a field that JSON leaves out needs a tag of its own, or it
// would be lost.
func TestNoStoredFieldIsLeftOut(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type, path string, report func(string))
	walk = func(x reflect.Type, path string, report func(string)) {
		switch x.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
			walk(x.Elem(), path, report)
		case reflect.Struct:
			if seen[x] || x == reflect.TypeFor[time.Time]() {
				return
			}
			seen[x] = true
			for i := range x.NumField() {
				f := x.Field(i)
				if f.IsExported() && f.Tag.Get("json") == "-" && (f.Tag.Get("cbor") == "" || f.Tag.Get("cbor") == "-") {
					report(path + "." + f.Name)
				}
				walk(f.Type, path+"."+f.Name, report)
			}
		}
	}
	for _, x := range []any{api.Job{}, api.Node{}, api.Allocation{}, api.Evaluation{}, api.Deployment{}, api.Namespace{}, api.NodePool{}, api.SchedulerConfiguration{}, api.JobSubmission{}, api.JobScalingEvents{}} {
		walk(reflect.TypeOf(x), reflect.TypeOf(x).Name(), func(field string) {
			if field == "Allocation.Packed" {
				return // another form of TaskStates; the snapshot's own codec carries it
			}
			t.Errorf(`%s would be lost: give it a tag such as cbor:"Name"`, field)
		})
	}
}

func TestSecretsSurvive(t *testing.T) {
	b, err := Marshal(&api.Node{ID: "x", SecretID: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	var n api.Node
	if err := Unmarshal(b, &n); err != nil || n.SecretID.Reveal() != "secret" {
		t.Errorf("secret is %q, %v", n.SecretID.Reveal(), err)
	}
}

func TestAnyKeepsItsTypes(t *testing.T) {
	in := map[string]any{"int": int64(3), "negative": int64(-3), "float": 1.5, "list": []any{"a", true, nil}, "map": map[string]any{"k": "v"}, "big": int64(math.MaxInt64)}
	b, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := Unmarshal(b, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("got %#v, %v", out, err)
	}
}

func TestMarshalIsDeterministic(t *testing.T) {
	m := map[string]string{}
	for _, k := range []string{"z", "a", "m", "bb", "q"} {
		m[k] = k
	}
	first, _ := Marshal(m)
	for range 20 {
		c := map[string]string{}
		for k, v := range m {
			c[k] = v
		}
		if b, _ := Marshal(c); !bytes.Equal(b, first) {
			t.Fatal("the same map gives different bytes")
		}
	}
}

func TestSame(t *testing.T) {
	base := func() *api.Job {
		return &api.Job{ID: "j", Datacenters: []string{"a"}, Meta: map[string]string{"k": "v"}, TaskGroups: []*api.TaskGroup{{Name: "g", Tasks: []*api.Task{{Name: "t", Config: map[string]any{"x": int64(1)}}}}}}
	}
	if !Same(base(), base()) {
		t.Error("two like jobs differ")
	}
	empty := base()
	empty.Constraints, empty.TaskGroups[0].Meta = []*api.Constraint{}, map[string]string{}
	if !Same(base(), empty) {
		t.Error("an empty list differs from none")
	}
	for name, change := range map[string]func(*api.Job){
		"field":   func(j *api.Job) { j.Priority++ },
		"list":    func(j *api.Job) { j.Datacenters = append(j.Datacenters, "b") },
		"map":     func(j *api.Job) { j.Meta["k"] = "w" },
		"key":     func(j *api.Job) { j.Meta = map[string]string{"l": "v"} },
		"deep":    func(j *api.Job) { j.TaskGroups[0].Tasks[0].Config["x"] = int64(2) },
		"type":    func(j *api.Job) { j.TaskGroups[0].Tasks[0].Config["x"] = "1" },
		"pointer": func(j *api.Job) { j.Update = &api.UpdateStrategy{} },
	} {
		c := base()
		change(c)
		if Same(base(), c) {
			t.Errorf("a change of %s is not seen", name)
		}
	}
	at := time.Now()
	if !Same(&at, new(at.UTC())) {
		t.Error("one instant in two zones differs")
	}
}

// TestCompactRoundTrip writes random values and reads them back.
func TestCompactRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.OneOf(rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), rapid.String(), rapid.StringMatching(`[0-9A-F-]{36}`))
		texts := rapid.SliceOf(ids).Draw(t, "ids")
		u, i, f := rapid.Uint64().Draw(t, "u"), rapid.Int64().Draw(t, "i"), rapid.Float64().Draw(t, "f")
		at := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "sec"), rapid.Int64Range(0, 999999999).Draw(t, "nsec")).UTC()
		m := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "m")
		var w Writer
		w.Uint(u)
		w.Int(i)
		w.Float(f)
		w.Time(at)
		w.Time(time.Time{})
		w.Strings(m)
		for range 2 {
			for _, s := range texts {
				w.ID(s)
				w.Ref(s)
				w.String(s)
			}
		}
		w.Bool(true)
		r := NewReader(w.Bytes())
		if r.Uint() != u || r.Int() != i || r.Float() != f || !r.Time().Equal(at) || !r.Time().IsZero() || !Same(r.Strings(), m) {
			t.Fatal("values differ")
		}
		for range 2 {
			for _, s := range texts {
				if r.ID() != s || r.Ref() != s || r.String() != s {
					t.Fatalf("%q comes back differently", s)
				}
			}
		}
		if !r.Bool() || r.End() != nil {
			t.Fatal(r.End())
		}
	})
}

func TestReaderRefuses(t *testing.T) {
	for name, read := range map[string]func(*Reader){
		"list longer than the message": func(r *Reader) { r.Len() },
		"reference to nothing":         func(r *Reader) { r.Ref() },
		"unknown identifier":           func(r *Reader) { r.ID() },
		"truth value":                  func(r *Reader) { r.Bool() },
	} {
		r := NewReader([]byte{0x7f})
		read(r)
		if !errors.Is(r.Err(), ErrMalformed) {
			t.Errorf("%s: %v", name, r.Err())
		}
		if r.Uint() != 0 || r.String() != "" {
			t.Errorf("%s: a reader goes on after an error", name)
		}
	}
	if err := NewReader([]byte{1}).End(); !errors.Is(err, ErrMalformed) {
		t.Errorf("bytes left over: %v", err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	b, _ := Marshal(&api.Job{ID: "j", TaskGroups: []*api.TaskGroup{{Name: "g", Tasks: []*api.Task{{Name: "t", Config: map[string]any{"x": int64(1)}}}}}})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var j api.Job
		if Unmarshal(b, &j) == nil {
			if _, err := Marshal(&j); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkMarshalAllocation(b *testing.B) {
	a := sampleAllocation()
	for b.Loop() {
		if _, err := Marshal(a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalAllocation(b *testing.B) {
	enc, _ := Marshal(sampleAllocation())
	b.ReportMetric(float64(len(enc)), "B")
	for b.Loop() {
		var a api.Allocation
		if err := Unmarshal(enc, &a); err != nil {
			b.Fatal(err)
		}
	}
}

func sampleAllocation() *api.Allocation {
	return &api.Allocation{
		ID: "5f0f4c2e-1111-4222-8333-000000000001", Namespace: "default", Name: "web.web[0]", JobID: "web", TaskGroup: "web",
		AllocatedResources: &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{"main": {Cpu: api.AllocatedCpuResources{CpuShares: 100}}}},
		Metrics:            &api.AllocationMetric{NodesEvaluated: 100, NodesAvailable: map[string]int{"dc1": 100}},
		TaskStates:         map[string]*api.TaskState{"main": {State: "running", Events: []*api.TaskEvent{{Type: "Received"}, {Type: "Started"}}}},
	}
}
