package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
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
	case *RequestedDevice:
		d.device(x, obj, at)
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
