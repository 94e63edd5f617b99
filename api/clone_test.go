package api

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// populate sets every field beneath v, lists and maps with two entries each.
func populate(v reflect.Value, depth int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(int64(depth+1), 0)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if depth > 12 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				populate(v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			populate(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"a", "b"} {
			k := reflect.New(v.Type().Key()).Elem()
			populate(k, depth+1)
			if k.Kind() == reflect.String {
				k.SetString(key)
			}
			e := reflect.New(v.Type().Elem()).Elem()
			populate(e, depth+1)
			v.SetMapIndex(k, e)
		}
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf([]any{"x", int64(1), map[string]any{"k": []any{true}}}))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	}
}

// shared finds a pointer, list or map that two values have in common.
func shared(a, b reflect.Value, path string) string {
	switch a.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if a.IsNil() {
			return ""
		}
		empty := a.Kind() == reflect.Slice && a.Len() == 0 || a.Kind() == reflect.Pointer && a.Type().Elem().Size() == 0
		if !empty {
			if a.Pointer() == b.Pointer() {
				return path
			}
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		return shared(a.Elem(), b.Elem(), path)
	case reflect.Interface:
		if a.IsNil() {
			return ""
		}
		return shared(a.Elem(), b.Elem(), path)
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return ""
		}
		for i := range a.NumField() {
			if p := shared(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name); p != "" {
				return p
			}
		}
	case reflect.Slice:
		for i := range a.Len() {
			if p := shared(a.Index(i), b.Index(i), path+"[]"); p != "" {
				return p
			}
		}
	case reflect.Map:
		for _, k := range a.MapKeys() {
			if p := shared(a.MapIndex(k), b.MapIndex(k), path+"{}"); p != "" {
				return p
			}
		}
	}
	return ""
}

func TestCloneCopiesEveryField(t *testing.T) {
	for _, v := range []any{&Job{}, &Node{}, &Allocation{}, &Evaluation{}, &Deployment{}, &JobSummary{}, &Namespace{}, &NodePool{}, &JobSubmission{}} {
		src := reflect.ValueOf(v)
		t.Run(src.Elem().Type().Name(), func(t *testing.T) {
			populate(src.Elem(), 0)
			c := reflect.ValueOf(Clone(v))
			if !reflect.DeepEqual(v, c.Interface()) {
				t.Error("the clone differs")
			}
			if p := shared(src, c, src.Elem().Type().Name()); p != "" {
				t.Errorf("%s is shared", p)
			}
		})
	}
}

func TestCloneOfNothing(t *testing.T) {
	if Clone[*Job](nil) != nil || Clone(map[string]string(nil)) != nil {
		t.Error("nil became something")
	}
	if c := Clone([]string{}); c == nil || len(c) != 0 {
		t.Error("an empty list became nil")
	}
}

func BenchmarkCloneJob(b *testing.B) {
	j := &Job{ID: "a", TaskGroups: []*TaskGroup{{Name: "g", Tasks: []*Task{{Name: "t", Driver: "exec", Env: map[string]string{"A": "b"}, Config: map[string]any{"command": "/bin/sleep", "args": []any{"60"}}}}}}}
	j.Canonicalize()
	b.ReportAllocs()
	for b.Loop() {
		Clone(j)
	}
}

// Every field of a job has an HCL name, or says that the server sets it.
func TestEveryJobFieldHasItsHCLName(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type, path string)
	walk = func(ty reflect.Type, path string) {
		switch ty.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(ty.Elem(), path)
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[ty] {
			return
		}
		seen[ty] = true
		for i := range ty.NumField() {
			f := ty.Field(i)
			tag, ok := f.Tag.Lookup("hcl")
			if !ok {
				t.Errorf("%s.%s has no hcl tag", path, f.Name)
			}
			if tag == "-" && ty != reflect.TypeFor[Task]() {
				continue
			}
			elem := f.Type
			for elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice || elem.Kind() == reflect.Map {
				elem = elem.Elem()
			}
			if block := strings.HasSuffix(tag, ",block"); elem.Kind() == reflect.Struct && !block && tag != "-" {
				t.Errorf("%s.%s holds a struct and is not a block", path, f.Name)
			}
			walk(f.Type, path+"."+f.Name)
		}
	}
	walk(reflect.TypeFor[Job](), "Job")
	if len(seen) < 50 {
		t.Errorf("only %d structs found", len(seen))
	}
}
