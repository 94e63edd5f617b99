package diff

import (
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// comparer compares structs of the api by reflection.
type comparer struct{ contextual bool }

// Fields that no job file sets and that are shown nevertheless, and the
// opposite, by struct and field.
var (
	shown = map[string]bool{
		"Job.Stop": true, "Task.Identity": true, "NetworkResource.ReservedPorts": true,
	}
	hidden = map[string]bool{ // parts of the diff itself
		"Job.ID": true, "TaskGroup.Name": true, "Task.Name": true,
	}
)

// legacy are fields of old job files, which are not there when they are zero.
var legacy = map[string]bool{
	"StopAfterClientDisconnect": true, "MaxClientDisconnect": true, "PreventRescheduleOnLost": true,
	"ConsulNamespace": true, "VaultNamespace": true, "DiskMB": true, "IOPS": true, "MBits": true,
}

// names are the names of objects that are not those of their fields.
var names = map[string]string{
	"Constraints": "Constraint", "Affinities": "Affinity", "Spreads": "Spread", "SpreadTarget": "Target",
	"Services": "Service", "Checks": "Check", "Connect": "ConsulConnect", "Networks": "Network",
	"ReservedPorts": "Static Port", "DynamicPorts": "Dynamic Port", "Volumes": "Volume", "VolumeMounts": "VolumeMount",
	"Templates": "Template", "Artifacts": "Artifact", "Devices": "Device", "Identities": "Identity", "Secrets": "Secret",
	"Actions": "Action", "ScalingPolicies": "Scaling", "Regions": "Region", "Links": "Link", "Upstreams": "Upstream",
	"Paths": "Path", "Listeners": "Listener",
}

func objectName(field string) string {
	if n, ok := names[field]; ok {
		return n
	}
	return field
}

// ignored says whether a field is set by the server.
func ignored(t reflect.Type, f reflect.StructField) bool {
	key := t.Name() + "." + f.Name
	return hidden[key] || f.Tag.Get("hcl") == "-" && !shown[key]
}

// inside compares the fields of two structs, of which one may be absent.
// contextual says whether fields that are equal are listed too.
func (c comparer) inside(old, new reflect.Value, contextual bool, except ...string) ([]*api.FieldDiff, []*api.ObjectDiff) {
	t := typeOf(old, new)
	var s side
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || ignored(t, f) || in(except, f.Name) {
			continue
		}
		c.field(&s, f, at(old, i), at(new, i))
	}
	s.sort()
	if !contextual {
		s.fields = changedOnly(s.fields)
	}
	return s.fields, s.objects
}

// side collects what differs between two structs.
type side struct {
	fields  []*api.FieldDiff // also those that are equal
	objects []*api.ObjectDiff
}

func (s *side) sort() {
	sort.SliceStable(s.fields, func(i, j int) bool {
		if s.fields[i].Name != s.fields[j].Name {
			return s.fields[i].Name < s.fields[j].Name
		}
		return s.fields[i].Old+s.fields[i].New < s.fields[j].Old+s.fields[j].New
	})
	sort.SliceStable(s.objects, func(i, j int) bool { return s.objects[i].Name < s.objects[j].Name })
}

// add notes two values of a field in words; empty for absent.
func (s *side) add(name, old, new string) {
	d := &api.FieldDiff{Type: api.DiffNone, Name: name, Old: old, New: new}
	switch {
	case old == new && old == "":
		return
	case old == new:
	case old == "":
		d.Type = api.DiffAdded
	case new == "":
		d.Type = api.DiffDeleted
	default:
		d.Type = api.DiffEdited
	}
	s.fields = append(s.fields, d)
}

func (s *side) object(o *api.ObjectDiff) {
	if o != nil {
		s.objects = append(s.objects, o)
	}
}

func changedOnly(fields []*api.FieldDiff) []*api.FieldDiff {
	var out []*api.FieldDiff
	for _, f := range fields {
		if f.Type != api.DiffNone {
			out = append(out, f)
		}
	}
	return out
}

// typeOf gives the type of whichever value is there.
func typeOf(old, new reflect.Value) reflect.Type {
	if new.IsValid() {
		return new.Type()
	}
	return old.Type()
}

// at gives a field of a struct that may be absent.
func at(v reflect.Value, i int) reflect.Value {
	if !v.IsValid() {
		return v
	}
	return v.Field(i)
}

func (c comparer) field(s *side, f reflect.StructField, old, new reflect.Value) {
	switch f.Type.Kind() {
	case reflect.Pointer:
		if f.Type.Elem().Kind() != reflect.Struct {
			s.add(f.Name, scalar(old), scalar(new))
			return
		}
		s.object(c.object(objectName(f.Name), target(old), target(new)))
	case reflect.Struct:
		s.object(c.object(objectName(f.Name), old, new))
	case reflect.Slice:
		c.slice(s, f, old, new)
	case reflect.Map:
		c.mapping(s, f, old, new)
	default:
		s.add(f.Name, text(f, old), text(f, new))
	}
}

// text words a plain field. What the JSON leaves out when it is zero is absent
// here too.
func text(f reflect.StructField, v reflect.Value) string {
	if (legacy[f.Name] || strings.HasSuffix(f.Tag.Get("json"), ",omitempty")) && v.IsValid() && v.IsZero() {
		return ""
	}
	return scalar(v)
}

// target gives what a pointer points to; the zero Value for nil.
func target(v reflect.Value) reflect.Value {
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return reflect.Value{}
	}
	if v.Kind() == reflect.Pointer {
		return v.Elem()
	}
	return v
}

// object compares two blocks; nil when there is no difference.
func (c comparer) object(name string, old, new reflect.Value) *api.ObjectDiff {
	if !old.IsValid() && !new.IsValid() {
		return nil
	}
	d := &api.ObjectDiff{Name: name}
	d.Fields, d.Objects = c.inside(old, new, c.contextual)
	return finish(d, old.IsValid(), new.IsValid())
}

// finish sets the type of an object; nil when it did not change.
func finish(d *api.ObjectDiff, old, new bool) *api.ObjectDiff {
	changed := len(d.Objects) > 0 || len(changedOnly(d.Fields)) > 0
	if d.Type = kind(!old, !new, changed); d.Type == api.DiffNone {
		return nil
	}
	return d
}

func (c comparer) slice(s *side, f reflect.StructField, old, new reflect.Value) {
	elem := f.Type.Elem()
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	if elem.Kind() == reflect.Struct {
		c.structs(s, objectName(f.Name), elem, old, new)
		return
	}
	s.object(c.set(f.Name, old, new))
}

// set compares two lists of plain values; their order does not count, except
// that a change of the order alone is a change of each moved value.
func (c comparer) set(name string, old, new reflect.Value) *api.ObjectDiff {
	before, after := count(old), count(new)
	var s side
	for _, v := range union(before, after) {
		for range min(before[v], after[v]) {
			s.add(name, v, v)
		}
		for range before[v] - after[v] {
			s.add(name, v, "")
		}
		for range after[v] - before[v] {
			s.add(name, "", v)
		}
	}
	if len(changedOnly(s.fields)) == 0 && reordered(old, new) {
		s.fields = nil
		s.add(name, joined(old), joined(new))
	}
	s.sort()
	if !c.contextual {
		s.fields = changedOnly(s.fields)
	}
	d := &api.ObjectDiff{Name: name, Fields: s.fields}
	return finish(d, length(old) > 0 || length(new) == 0, length(new) > 0 || length(old) == 0)
}

func length(v reflect.Value) int {
	if !v.IsValid() {
		return 0
	}
	return v.Len()
}

func reordered(old, new reflect.Value) bool {
	for i := range min(length(old), length(new)) {
		if scalar(old.Index(i)) != scalar(new.Index(i)) {
			return true
		}
	}
	return false
}

func joined(v reflect.Value) string {
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = scalar(v.Index(i))
	}
	return strings.Join(parts, ", ")
}

func count(v reflect.Value) map[string]int {
	out := map[string]int{}
	for i := range length(v) {
		text := scalar(v.Index(i))
		if text == "" {
			text = `""`
		}
		out[text]++
	}
	return out
}

func union(a, b map[string]int) []string {
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

func in(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// scalar words a plain value; empty for one that is absent.
func scalar(v reflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return scalar(v.Elem())
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	panic("diff: no text for " + v.Type().String())
}
