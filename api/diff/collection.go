package diff

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// keys are the fields by which the objects of a list are the same object,
// where it is not the field with the label.
var keys = map[string][]string{
	"Template": {"DestPath"}, "TaskArtifact": {"RelativeDest"}, "VolumeMount": {"Volume", "Destination"},
	"WorkloadIdentity": {"Name"}, "Service": {"Name"}, "ServiceCheck": {"Name"}, "JobUILink": {"Label"},
	"ConsulUpstream": {"DestinationName"}, "ConsulLinkedService": {"Name"}, "ConsulIngressService": {"Name"},
	"ConsulIngressListener": {"Port"}, "ConsulExposePath": {"Path"}, "ScalingPolicy": {"Type"},
}

// structs compares two lists of blocks. Blocks with a name or another key are
// matched by it; networks by their place; the others only when they are equal.
func (c comparer) structs(s *side, name string, elem reflect.Type, old, new reflect.Value) {
	before, after := c.index(elem, old), c.index(elem, new)
	for _, key := range unionKeys(before, after) {
		s.object(c.object(name, before[key], after[key]))
	}
}

// index gives the blocks of a list by their keys.
func (c comparer) index(elem reflect.Type, list reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	seen := map[string]int{}
	for i := range length(list) {
		v := target(list.Index(i))
		if !v.IsValid() {
			continue
		}
		key := c.key(elem, v, i)
		if seen[key]++; seen[key] > 1 {
			key += fmt.Sprintf("\x00%06d", seen[key])
		}
		out[key] = v
	}
	return out
}

func (c comparer) key(elem reflect.Type, v reflect.Value, place int) string {
	if elem == reflect.TypeFor[api.NetworkResource]() {
		return fmt.Sprintf("%06d", place)
	}
	if fields, ok := keys[elem.Name()]; ok {
		parts := make([]string, len(fields))
		for i, f := range fields {
			parts[i] = scalar(v.FieldByName(f))
		}
		return strings.Join(parts, "\x00")
	}
	for i := range elem.NumField() {
		if elem.Field(i).Tag.Get("hcl") == ",label" {
			return scalar(v.Field(i))
		}
	}
	return fingerprint(v)
}

// fingerprint is a text that equal blocks share.
func fingerprint(v reflect.Value) string {
	var b strings.Builder
	var write func(fields []*api.FieldDiff, objects []*api.ObjectDiff)
	write = func(fields []*api.FieldDiff, objects []*api.ObjectDiff) {
		for _, f := range fields {
			fmt.Fprintf(&b, "%s=%q;", f.Name, f.New)
		}
		for _, o := range objects {
			b.WriteString(o.Name + "{")
			write(o.Fields, o.Objects)
			b.WriteString("}")
		}
	}
	write(comparer{}.inside(reflect.Value{}, v, false))
	return b.String()
}

func unionKeys(a, b map[string]reflect.Value) []string {
	var out []string
	for k := range a {
		out = append(out, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out = append(out, k)
		}
	}
	sort.Strings(out)
	return out
}

func (c comparer) mapping(s *side, f reflect.StructField, old, new reflect.Value) {
	switch elem := f.Type.Elem(); {
	case elem.Kind() == reflect.Pointer:
		before, after := byKey(old), byKey(new)
		for _, key := range unionKeys(before, after) {
			s.object(c.object(objectName(f.Name), target(before[key]), target(after[key])))
		}
	case elem.Kind() == reflect.String:
		before, after := flat(f.Name, old), flat(f.Name, new)
		for _, name := range unionText(before, after) {
			s.add(name, before[name], after[name])
		}
	default:
		s.object(c.free(f.Name, old, new))
	}
}

func byKey(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	if v.IsValid() {
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = it.Value()
		}
	}
	return out
}

// free compares two maps of anything, such as a driver's configuration, as an
// object with a field for each value: args[0], mounts[0][target].
func (c comparer) free(name string, old, new reflect.Value) *api.ObjectDiff {
	before, after := flat("", old), flat("", new)
	var s side
	for _, n := range unionText(before, after) {
		s.add(n, before[n], after[n])
	}
	s.sort()
	if !c.contextual {
		s.fields = changedOnly(s.fields)
	}
	d := &api.ObjectDiff{Name: name, Fields: s.fields}
	return finish(d, length(old) > 0 || length(new) == 0, length(new) > 0 || length(old) == 0)
}

func unionText(a, b map[string]string) []string {
	seen := map[string]int{}
	for k := range a {
		seen[k]++
	}
	for k := range b {
		seen[k]++
	}
	return union(seen, nil)
}

// flat gives every plain value inside of a map by its path.
func flat(name string, v reflect.Value) map[string]string {
	out := map[string]string{}
	if v.IsValid() && v.Len() > 0 {
		flatten(out, name, v)
	}
	return out
}

func flatten(out map[string]string, name string, v reflect.Value) {
	for v.IsValid() && v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		out[name] = "null"
	case v.Kind() == reflect.Map && v.Len() > 0:
		for it := v.MapRange(); it.Next(); {
			flatten(out, step(name, it.Key().String()), it.Value())
		}
	case v.Kind() == reflect.Slice && v.Len() > 0:
		for i := range v.Len() {
			flatten(out, step(name, strconv.Itoa(i)), v.Index(i))
		}
	case v.Kind() == reflect.Map:
		out[name] = "{}"
	case v.Kind() == reflect.Slice:
		out[name] = "[]"
	default:
		text := scalar(v)
		if text == "" {
			text = `""`
		}
		out[name] = text
	}
}

func step(name, key string) string {
	if name == "" {
		return key
	}
	return name + "[" + key + "]"
}
