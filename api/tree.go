package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// treeDecoder lays a JSON-shaped tree (map[string]any, []any, string, bool,
// json.Number and nil) over Go values that hold the defaults already. It
// collects every problem instead of stopping at the first.
type treeDecoder struct {
	lenient  bool // numbers, booleans and texts convert into each other, as in HCL
	problems Problems
}

// spot is where the decoder or a validator is.
type spot struct {
	scope string // `group "web": task "db": `
	path  string // JSON path, for example TaskGroups[0].Tasks[1].Resources.MemoryMB
	name  string // HCL path below the scope, for example resources.memory
}

// field goes to a field by its JSON and its HCL name.
func (p spot) field(jsonName, hclName string) spot {
	p.path = join(p.path, jsonName)
	p.name = join(p.name, hclName)
	return p
}

// index goes to an item of a list.
func (p spot) index(i int) spot {
	p.path += "[" + strconv.Itoa(i) + "]"
	return p
}

// key goes to a value of a map.
func (p spot) key(k string) spot {
	p.path += "[" + k + "]"
	p.name = join(p.name, k)
	return p
}

// in opens a scope, for example in("group", "web").
func (p spot) in(kind, label string) spot {
	p.scope += fmt.Sprintf("%s %q: ", kind, clip(label))
	p.name = ""
	return p
}

func (p spot) problem(format string, args ...any) Problem {
	text := fmt.Sprintf(format, args...)
	if p.name != "" {
		text = p.name + " " + text
	}
	return Problem{Path: p.path, Text: p.scope + text}
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "." + b
}

// clip shortens what a user wrote so that a message stays readable.
func clip(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

func (d *treeDecoder) addf(at spot, format string, args ...any) {
	d.problems = append(d.problems, at.problem(format, args...))
}

var spanType = reflect.TypeFor[Duration]()

// value decodes node over v. A nil node is absent and leaves v as it is.
func (d *treeDecoder) value(v reflect.Value, node any, at spot) {
	if node == nil {
		return
	}
	if v.Type() == spanType {
		d.duration(v, node, at)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(newDefault(v.Type().Elem()))
		}
		d.value(v.Elem(), node, at)
	case reflect.Struct:
		if obj, ok := d.object(node, at); ok {
			d.structure(v, obj, at)
		}
	case reflect.Slice:
		d.slice(v, node, at)
	case reflect.Map:
		d.mapping(v, node, at)
	case reflect.String:
		if s, ok := d.text(node, at); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if b, ok := d.boolean(node, at); ok {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n, ok := d.integer(node, at); ok {
			if v.OverflowInt(n) {
				d.addf(at, "%d is out of range", n)
				return
			}
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.unsigned(v, node, at)
	case reflect.Interface:
		if depth(node) >= maxConfigDepth {
			d.addf(at, "is nested more than %d levels deep", maxConfigDepth)
			return
		}
		v.Set(reflect.ValueOf(free(node)))
	default:
		panic("api: no decoding for " + v.Type().String())
	}
}

func (d *treeDecoder) object(node any, at spot) (map[string]any, bool) {
	obj, ok := node.(map[string]any)
	if !ok {
		d.addf(at, "must be a block, not %s", describe(node))
	}
	return obj, ok
}

// structure decodes an object over a struct, by the JSON names of its fields.
// Blocks that need to know more than their own content have decoders of their own.
func (d *treeDecoder) structure(v reflect.Value, obj map[string]any, at spot) {
	switch x := v.Addr().Interface().(type) {
	case *Service:
		d.service(x, obj, at)
	case *Resources:
		d.resources(x, obj, at)
	case *LogConfig:
		d.logConfig(x, obj, at)
	case *Template:
		d.template(x, obj, at)
	default:
		d.fields(v, obj, at)
	}
}

// fields decodes an object over the fields of a struct, except for those named.
func (d *treeDecoder) fields(v reflect.Value, obj map[string]any, at spot, except ...string) {
	keys := keyFolds{obj: obj}
	for _, f := range fieldsOf(v.Type()) {
		if contains(except, f.json) {
			continue
		}
		if node, ok := keys.find(f); ok {
			d.value(v.Field(f.index), node, at.field(f.json, f.hcl))
		}
	}
}

func (d *treeDecoder) slice(v reflect.Value, node any, at spot) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		d.bytes(v, node, at)
		return
	}
	items, ok := node.([]any)
	if !ok {
		d.addf(at, "must be a list, not %s", describe(node))
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(items))
	for i, item := range items {
		elem := reflect.New(v.Type().Elem()).Elem()
		if elem.Kind() == reflect.Struct {
			elem.Set(newDefault(elem.Type()).Elem())
		}
		if item == nil {
			d.addf(at.index(i), "must not hold null")
			continue
		}
		d.value(elem, item, at.index(i))
		if elem.Kind() == reflect.Pointer && elem.IsNil() {
			continue
		}
		out = reflect.Append(out, elem)
	}
	v.Set(out)
}

func (d *treeDecoder) bytes(v reflect.Value, node any, at spot) {
	s, ok := node.(string)
	if !ok {
		d.addf(at, "must be a text in base64, not %s", describe(node))
		return
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		d.addf(at, "is not base64: %v", err)
		return
	}
	v.SetBytes(b)
}

func (d *treeDecoder) mapping(v reflect.Value, node any, at spot) {
	obj, ok := node.(map[string]any)
	if !ok {
		d.addf(at, "must be a block or map, not %s", describe(node))
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(obj))
	for _, k := range sortedKeys(obj) {
		elem := reflect.New(v.Type().Elem()).Elem()
		if obj[k] == nil && elem.Kind() != reflect.Interface {
			continue
		}
		d.value(elem, obj[k], at.key(k))
		out.SetMapIndex(reflect.ValueOf(k), elem)
	}
	v.Set(out)
}

func (d *treeDecoder) duration(v reflect.Value, node any, at spot) {
	switch x := node.(type) {
	case string:
		if x == "" {
			v.SetInt(0)
			return
		}
		span, err := time.ParseDuration(x)
		if err != nil {
			if n, ok := wholeNumber(x); ok && d.lenient {
				v.SetInt(n)
				return
			}
			d.addf(at, "must be a duration such as \"30s\" or \"1h15m\", not %s", describe(node))
			return
		}
		v.SetInt(int64(span))
	case json.Number:
		n, ok := wholeNumber(x.String())
		if !ok {
			d.addf(at, "must be a duration such as \"30s\" or a whole number of nanoseconds, not %s", describe(node))
			return
		}
		v.SetInt(n)
	default:
		d.addf(at, "must be a duration such as \"30s\" or \"1h15m\", not %s", describe(node))
	}
}

func (d *treeDecoder) text(node any, at spot) (string, bool) {
	switch x := node.(type) {
	case string:
		return x, true
	case json.Number:
		if d.lenient {
			return x.String(), true
		}
	case bool:
		if d.lenient {
			return strconv.FormatBool(x), true
		}
	}
	d.addf(at, "must be a text, not %s", describe(node))
	return "", false
}

func (d *treeDecoder) boolean(node any, at spot) (bool, bool) {
	switch x := node.(type) {
	case bool:
		return x, true
	case string:
		if d.lenient && (x == "true" || x == "false") {
			return x == "true", true
		}
	}
	d.addf(at, "must be true or false, not %s", describe(node))
	return false, false
}

func (d *treeDecoder) integer(node any, at spot) (int64, bool) {
	var text string
	switch x := node.(type) {
	case json.Number:
		text = x.String()
	case string:
		if d.lenient {
			text = x
		}
	}
	if n, ok := wholeNumber(text); ok {
		return n, true
	}
	d.addf(at, "must be a whole number, not %s", describe(node))
	return 0, false
}

func (d *treeDecoder) unsigned(v reflect.Value, node any, at spot) {
	if x, ok := node.(json.Number); ok {
		if n, err := strconv.ParseUint(x.String(), 10, 64); err == nil && !v.OverflowUint(n) {
			v.SetUint(n)
			return
		}
	}
	n, ok := d.integer(node, at)
	if !ok {
		return
	}
	if n < 0 || v.OverflowUint(uint64(n)) {
		d.addf(at, "%d is out of range", n)
		return
	}
	v.SetUint(uint64(n))
}

// wholeNumber reads an integer, also when it is written like 1.0 or 1e3.
func wholeNumber(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<62 {
		return 0, false
	}
	return int64(f), true
}

// free gives a tree as plain Go values: numbers become int64 where they are
// whole, else float64.
func free(node any) any {
	switch x := node.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(x.String(), 64)
		if err != nil {
			return x.String()
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f)
		}
		return f
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = free(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = free(x[k])
		}
		return out
	}
	return node
}

// describe says what a value is, for messages.
func describe(node any) string {
	switch x := node.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the text %q", clip(x))
	case json.Number:
		return "the number " + clip(x.String())
	case bool:
		return strconv.FormatBool(x)
	case []any:
		return "a list"
	case map[string]any:
		return "a block or map"
	}
	return fmt.Sprintf("a %T", node)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
