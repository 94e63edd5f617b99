package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/internal/hclx"
)

// place is where a key was given.
type place struct {
	file *hclx.File
	rng  hclx.Range
}

// decoder lays the values of one file over a configuration.
type decoder struct {
	file     *hclx.File
	agent    *Agent
	problems hclx.Problems
}

func (d *decoder) problem(rng hclx.Range, format string, args ...any) *hclx.Problem {
	d.problems = append(d.problems, d.file.At(rng, format, args...))
	return &d.problems[len(d.problems)-1]
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// value lays v over dst. path names dst for messages; rng is where its name stands.
func (d *decoder) value(v hclx.Value, dst reflect.Value, path, unit string, rng hclx.Range) {
	if v.Kind == hclx.Null {
		return
	}
	d.agent.places[path] = place{d.file, rng}
	if dst.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(v, dst, path)
		return
	}
	switch dst.Kind() {
	case reflect.Struct:
		for _, object := range d.objects(v, path) {
			d.structure(object, dst, path)
		}
	case reflect.Map:
		d.mapping(v, dst, path)
	case reflect.Slice:
		d.slice(v, dst, path)
	case reflect.String:
		d.text(v, dst, path)
	case reflect.Bool:
		d.boolean(v, dst, path)
	case reflect.Float64:
		if n, err := strconv.ParseFloat(v.Text, 64); isNumeric(v) && err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
			dst.SetFloat(n)
		} else {
			d.wrong(v, path, "a number")
		}
	default:
		d.integer(v, dst, path, unit)
	}
}

func isNumeric(v hclx.Value) bool { return v.Kind == hclx.Number || v.Kind == hclx.String }

func (d *decoder) wrong(v hclx.Value, path, want string) {
	d.problem(v.Range, "%s must be %s, not %s", path, want, v.Kind)
}

// objects unwraps lists of objects, which JSON files use for repeated blocks.
func (d *decoder) objects(v hclx.Value, path string) []hclx.Value {
	switch v.Kind {
	case hclx.Object:
		return []hclx.Value{v}
	case hclx.List:
		var out []hclx.Value
		for _, item := range v.Items {
			out = append(out, d.objects(item, path)...)
		}
		return out
	}
	d.wrong(v, path, "a block")
	return nil
}

func (d *decoder) structure(v hclx.Value, dst reflect.Value, path string) {
	for _, e := range v.Entries {
		field, tag, ok := fieldOf(dst, e.Name)
		if tag.effect == "none" {
			d.unused(join(path, e.Name), e.Range)
		}
		switch {
		case !ok:
			d.unknown(e, dst, path)
		case tag.labelled:
			d.labelled(e, field, join(path, e.Name))
		case len(e.Labels) > 0:
			d.problem(e.Range, "%s takes no label", join(path, e.Name))
		default:
			d.value(e.Value, field, join(path, e.Name), tag.unit, e.Range)
		}
	}
}

// unknown handles a key that is not a field: accepted without effect, or a problem.
func (d *decoder) unknown(e hclx.Entry, dst reflect.Value, path string) {
	if known, free := acceptedKey(path, e.Name); known {
		d.accept(e, path, free)
		return
	}
	what := "key"
	if e.Block {
		what = "block"
	}
	p := d.problem(e.Range, "unknown %s %q", what, e.Name)
	if path != "" {
		p.Message += " in " + path
	}
	p.Suggest = hclx.Nearest(e.Name, append(fieldNames(dst), acceptedNames(path)...))
	if at := misplaced(e.Name, path); at != "" && p.Suggest == "" {
		p.Detail = "it belongs in " + at
	}
}

// accept records a key without effect; what stands below it must be known too.
func (d *decoder) accept(e hclx.Entry, path string, free bool) {
	key := join(path, e.Name)
	below, isBlock := accepted[key]
	if free || !isBlock || e.Value.Kind != hclx.Object {
		d.unused(key, e.Range)
		return
	}
	for _, inner := range e.Value.Entries {
		known, free := acceptedKey(key, inner.Name)
		if !known {
			d.problem(inner.Range, "unknown key %q in %s", inner.Name, key).Suggest = hclx.Nearest(inner.Name, strings.Fields(below))
			continue
		}
		d.accept(inner, key, free)
	}
}

func (d *decoder) unused(key string, rng hclx.Range) {
	d.agent.Unused = append(d.agent.Unused, Accepted{Key: key, File: d.file.Name, Line: rng.Start.Line})
}

// labelled reads a block with a label, or in JSON an object keyed by it, into a map of structs.
func (d *decoder) labelled(e hclx.Entry, dst reflect.Value, path string) {
	if len(e.Labels) > 1 {
		d.problem(e.Range, "%s takes one label", path)
		return
	}
	if len(e.Labels) == 1 {
		d.labelledOne(e.Labels[0], e.Value, dst, path, e.Range)
		return
	}
	for _, object := range d.objects(e.Value, path) {
		for _, inner := range object.Entries {
			if inner.Value.Kind != hclx.Object && inner.Value.Kind != hclx.List {
				d.problem(inner.Range, "%s needs a label: %s \"<name>\" { … }", path, path)
				return
			}
			d.labelledOne(inner.Name, inner.Value, dst, path, inner.Range)
		}
	}
}

func (d *decoder) labelledOne(label string, v hclx.Value, dst reflect.Value, path string, rng hclx.Range) {
	if label == "" {
		d.problem(rng, "%s has an empty label", path)
		return
	}
	if dst.IsNil() {
		dst.Set(reflect.MakeMap(dst.Type()))
	}
	item := reflect.New(dst.Type().Elem()).Elem()
	if old := dst.MapIndex(reflect.ValueOf(label)); old.IsValid() {
		item.Set(old)
	}
	d.value(v, item, path+"."+label, "", rng)
	dst.SetMapIndex(reflect.ValueOf(label), item)
}

// mapping lays an object over a map of texts or of plain values, key by key.
func (d *decoder) mapping(v hclx.Value, dst reflect.Value, path string) {
	out := reflect.MakeMap(dst.Type())
	for it := dst.MapRange(); it.Next(); {
		out.SetMapIndex(it.Key(), it.Value())
	}
	for _, object := range d.objects(v, path) {
		for _, e := range object.Entries {
			key := reflect.ValueOf(e.Name)
			if dst.Type().Elem().Kind() == reflect.Interface {
				out.SetMapIndex(key, reflect.ValueOf(e.Value.Plain()))
				continue
			}
			item := reflect.New(dst.Type().Elem()).Elem()
			d.value(e.Value, item, join(path, e.Name), "", e.Range)
			out.SetMapIndex(key, item)
		}
	}
	dst.Set(out)
}

func (d *decoder) slice(v hclx.Value, dst reflect.Value, path string) {
	items := v.Items
	if v.Kind != hclx.List {
		items = []hclx.Value{v} // one value alone is a list of one
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		d.value(item, out.Index(i), path, "", item.Range)
	}
	dst.Set(out)
}

func (d *decoder) text(v hclx.Value, dst reflect.Value, path string) {
	switch v.Kind {
	case hclx.String, hclx.Number:
		dst.SetString(v.Text)
	case hclx.Bool:
		dst.SetString(strconv.FormatBool(v.Bool))
	default:
		d.wrong(v, path, "a string")
	}
}

func (d *decoder) boolean(v hclx.Value, dst reflect.Value, path string) {
	b := v.Bool
	if v.Kind == hclx.String {
		var err error
		if b, err = strconv.ParseBool(v.Text); err != nil {
			d.problem(v.Range, "%s must be true or false, not %q", path, v.Text)
			return
		}
	} else if v.Kind != hclx.Bool {
		d.wrong(v, path, "true or false")
		return
	}
	dst.SetBool(b)
}

func (d *decoder) integer(v hclx.Value, dst reflect.Value, path, unit string) {
	if !isNumeric(v) {
		d.wrong(v, path, "a whole number")
		return
	}
	var n int64
	var err error
	if unit == "size" {
		n, err = ParseSize(v.Text)
	} else {
		n, err = strconv.ParseInt(v.Text, 10, 64)
	}
	switch {
	case err != nil && unit == "size":
		d.problem(v.Range, "%s: %v", path, err)
	case err != nil || dst.OverflowInt(n):
		d.problem(v.Range, "%s must be a whole number, not %s", path, v.Text)
	default:
		dst.SetInt(n)
	}
}

func (d *decoder) duration(v hclx.Value, dst reflect.Value, path string) {
	if v.Kind == hclx.Number && v.Text == "0" {
		dst.SetInt(0)
		return
	}
	t, err := time.ParseDuration(v.Text)
	if v.Kind != hclx.String || err != nil {
		d.problem(v.Range, "%s must be a duration with its unit, such as \"30s\" or \"1h15m\"", path)
		return
	}
	if t < 0 {
		d.problem(v.Range, "%s must not be negative", path)
		return
	}
	dst.SetInt(int64(t))
}
