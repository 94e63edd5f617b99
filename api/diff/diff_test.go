package diff

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

var update = flag.Bool("update", false, "rewrite golden files")

// populate sets every field beneath v, lists and maps with one entry each.
func populate(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			populate(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		populate(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		populate(e)
		v.SetMapIndex(reflect.ValueOf("key"), e)
	case reflect.Interface:
		v.Set(reflect.ValueOf("free"))
	default:
		set(v, false)
	}
}

// set gives a plain value one of two values.
func set(v reflect.Value, other bool) {
	n := int64(1)
	if other {
		n = 2
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text", n))
	case reflect.Bool:
		v.SetBool(!other)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(n))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(n) / 4)
	default:
		panic(v.Kind())
	}
}

// each changes every plain value beneath v in turn, and removes every block,
// list and map in turn; check sees each change by itself.
func each(v reflect.Value, path string, check func(path string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.CanSet() {
			without(v, path, check)
		}
		each(v.Elem(), path, check)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if ignored(v.Type(), f) {
				continue
			}
			each(v.Field(i), path+"."+f.Name, check)
		}
	case reflect.Slice:
		without(v, path, check)
		each(v.Index(0), path+"[0]", check)
	case reflect.Map:
		without(v, path, check)
		e := v.MapIndex(reflect.ValueOf("key"))
		if e.Kind() == reflect.Pointer {
			each(e, path+"[key]", check)
			return
		}
		old := reflect.ValueOf(api.Clone(v.Interface()))
		v.SetMapIndex(reflect.ValueOf("other"), e)
		check(path + "[other]")
		v.Set(old)
	case reflect.Interface:
		old := reflect.ValueOf(v.Interface())
		v.Set(reflect.ValueOf("changed"))
		check(path)
		v.Set(old)
	default:
		set(v, true)
		check(path)
		set(v, false)
	}
}

func without(v reflect.Value, path string, check func(string)) {
	old := reflect.ValueOf(v.Interface())
	v.SetZero()
	check(path + " removed")
	v.Set(old)
}

func TestEveryFieldIsSeen(t *testing.T) {
	job := &api.Job{}
	populate(reflect.ValueOf(job).Elem())
	old := api.Clone(job)
	if d, err := Jobs(old, job, false); err != nil || d.Type != api.DiffNone {
		t.Fatalf("equal jobs differ: %v %s", err, printed(d))
	}
	n := 0
	each(reflect.ValueOf(job), "Job", func(path string) {
		n++
		d, err := Jobs(old, job, false)
		if err != nil {
			t.Fatal(path, err)
		}
		if d.Type != api.DiffEdited {
			t.Errorf("%s changed and the diff says %s", path, d.Type)
		}
		if reverse, _ := Jobs(job, old, true); reverse.Type != api.DiffEdited {
			t.Errorf("%s changed back and the diff says %s", path, reverse.Type)
		}
	})
	if n < 400 {
		t.Errorf("only %d changes were tried", n)
	}
}

func printed(d *api.JobDiff) string {
	b, _ := json.MarshalIndent(d, "", "  ")
	return string(b)
}

func decode(t *testing.T, src string) *api.Job {
	t.Helper()
	j := &api.Job{}
	if err := json.Unmarshal([]byte(src), j); err != nil {
		t.Fatal(err)
	}
	return j
}

const base = `{"ID":"web","Meta":{"a":"1","gone":"x"},"Datacenters":["dc1","dc2"],
 "Constraints":[{"LTarget":"${attr.kernel.name}","RTarget":"linux"}],
 "TaskGroups":[{"Name":"web","Count":1,"Networks":[{"DynamicPorts":[{"Label":"http","To":80}]}],
   "Tasks":[{"Name":"server","Driver":"exec","Config":{"command":"/bin/a","args":["-x","1"]},"Env":{"A":"b"},"Resources":{"CPU":100}},
            {"Name":"side","Driver":"exec"}]},
  {"Name":"same","Tasks":[{"Name":"t","Driver":"exec"}]},
  {"Name":"old","Tasks":[{"Name":"t","Driver":"exec"}]}]}`

const changed = `{"ID":"web","Meta":{"a":"2","new":"y"},"Datacenters":["dc2","dc3"],"Priority":70,
 "Constraints":[{"LTarget":"${attr.kernel.name}","RTarget":"windows"}],
 "TaskGroups":[{"Name":"web","Count":3,"Networks":[{"DynamicPorts":[{"Label":"http","To":81},{"Label":"rpc"}]}],
   "Tasks":[{"Name":"server","Driver":"exec","Config":{"command":"/bin/a","args":["-y","1"]},"Env":{"A":"c"},"Resources":{"CPU":200}},
            {"Name":"side","Driver":"exec","KillTimeout":"9s"}]},
  {"Name":"same","Tasks":[{"Name":"t","Driver":"exec"}]},
  {"Name":"new","Tasks":[{"Name":"t","Driver":"raw_exec"}]}]}`

func TestShape(t *testing.T) {
	for name, contextual := range map[string]bool{"plain": false, "contextual": true} {
		d, err := Jobs(decode(t, base), decode(t, changed), contextual)
		if err != nil {
			t.Fatal(err)
		}
		file := "testdata/" + name + ".golden"
		got := printed(d) + "\n"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; run with -update and read the diff. got:\n%s", file, got)
		}
	}
}

func TestAddedAndDeleted(t *testing.T) {
	j := decode(t, base)
	for want, pair := range map[string][2]*api.Job{api.DiffAdded: {nil, j}, api.DiffDeleted: {j, nil}} {
		d, err := Jobs(pair[0], pair[1], true)
		if err != nil {
			t.Fatal(err)
		}
		if d.Type != want || d.ID != "web" || len(d.TaskGroups) != 3 {
			t.Errorf("%s %s %d", d.Type, d.ID, len(d.TaskGroups))
		}
		for _, g := range d.TaskGroups {
			if g.Type != want || g.Tasks[0].Type != want {
				t.Errorf("group %s: %s %s, want %s", g.Name, g.Type, g.Tasks[0].Type, want)
			}
		}
		if strings.Contains(printed(d), `"Edited"`) {
			t.Error("something is edited")
		}
	}
}

func TestDifferentJobs(t *testing.T) {
	_, err := Jobs(&api.Job{ID: "a"}, &api.Job{ID: "b"}, false)
	if !errors.Is(err, api.ErrInvalid) {
		t.Error(err)
	}
	if d, err := Jobs(nil, nil, false); err != nil || d.Type != api.DiffNone {
		t.Error(err, d)
	}
}

func TestNilAndEmptyAreEqual(t *testing.T) {
	a, b := decode(t, base), decode(t, base)
	a.Meta, b.Meta = nil, map[string]string{}
	a.TaskGroups[0].Tasks[0].Services, b.TaskGroups[0].Tasks[0].Services = nil, []*api.Service{}
	a.TaskGroups[1].Tasks[0].Config = map[string]any{}
	if d, err := Jobs(a, b, false); err != nil || d.Type != api.DiffNone {
		t.Errorf("%v %s", err, printed(d))
	}
}
