package drivers

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// value decodes one attribute.
func (d *decoder) value(path string, t Type, v any) any {
	kind, elem := t.elem()
	switch kind {
	case "list":
		return d.list(path, elem, v)
	case "map":
		return d.mapping(path, elem, v)
	}
	if s, ok := v.(string); ok && d.lenient && strings.Contains(s, "${") {
		return s
	}
	switch t {
	case String:
		return d.text(path, v)
	case Number:
		return d.number(path, v)
	case Bool:
		return d.boolean(path, v)
	}
	return plain(v)
}

func (d *decoder) list(path string, elem Type, v any) any {
	if s, ok := v.(string); ok && d.lenient && strings.Contains(s, "${") {
		return s
	}
	list, ok := slice(v)
	if !ok {
		// list(map(…)) is how drivers of HCL 1 times declare a map, which is then written as a block.
		if kind, _ := elem.elem(); kind == "map" {
			list, ok = []any{v}, true
		}
	}
	if !ok {
		d.fail(path, "must be a list of %s, not %s: write [%s]", plural(elem), describe(v), literal(v))
		return nil
	}
	out := make([]any, 0, len(list))
	for i, one := range list {
		out = append(out, d.value(fmt.Sprintf("%s[%d]", path, i), elem, one))
	}
	return out
}

func (d *decoder) mapping(path string, elem Type, v any) any {
	out := map[string]any{}
	for _, one := range asList(v) {
		m, ok := object(one)
		if !ok {
			d.fail(path, "must be a map of %s, not %s", plural(elem), describe(one))
			return nil
		}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			out[k] = d.value(join(path, k), elem, m[k])
		}
	}
	return out
}

func (d *decoder) text(path string, v any) any {
	switch x := plain(v).(type) {
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	d.fail(path, "must be a string, not %s", describe(v))
	return nil
}

func (d *decoder) number(path string, v any) any {
	switch x := plain(v).(type) {
	case int64, float64:
		return x
	case string:
		if n, ok := parseNumber(x); ok {
			return n
		}
	}
	d.fail(path, "must be a number, not %s", describe(v))
	return nil
}

func (d *decoder) boolean(path string, v any) any {
	switch x := plain(v).(type) {
	case bool:
		return x
	case string:
		switch strings.ToLower(x) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
	case int64:
		if x == 0 || x == 1 {
			return x == 1
		}
	}
	d.fail(path, "must be true or false, not %s", describe(v))
	return nil
}

func parseNumber(s string) (any, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, false
	}
	return whole(f), true
}

// whole is f as int64 where nothing is lost.
func whole(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return f
}

// plain brings a Go value into the uniform shape that Decode returns.
func plain(v any) any {
	switch x := v.(type) {
	case nil, string, bool, int64:
		return x
	case int:
		return int64(x)
	case float64:
		return whole(x)
	case json.Number:
		if n, ok := parseNumber(x.String()); ok {
			return n
		}
		return x.String()
	}
	if m, ok := object(v); ok {
		out := make(map[string]any, len(m))
		for k, one := range m {
			out[k] = plain(one)
		}
		return out
	}
	if list, ok := slice(v); ok {
		out := make([]any, len(list))
		for i, one := range list {
			out[i] = plain(one)
		}
		return out
	}
	return plainNumber(v)
}

// plainNumber handles the Go number types that no decoder of ours makes but a caller may.
func plainNumber(v any) any {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := r.Uint(); u <= math.MaxInt64 {
			return int64(u)
		}
		return float64(r.Uint())
	case reflect.Float32:
		return whole(r.Float())
	}
	return fmt.Sprint(v)
}

// slice is v as a list, when it is one.
func slice(v any) ([]any, bool) {
	switch x := v.(type) {
	case []any:
		return x, true
	case []string:
		return widen(x), true
	case []map[string]any:
		return widen(x), true
	case []int:
		return widen(x), true
	}
	return nil, false
}

func widen[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

// object is v as a map, when it is one.
func object(v any) (map[string]any, bool) {
	switch x := v.(type) {
	case map[string]any:
		return x, true
	case map[string]string:
		out := make(map[string]any, len(x))
		for k, s := range x {
			out[k] = s
		}
		return out, true
	}
	return nil, false
}

// asList is v as a list, or a list of v alone.
func asList(v any) []any {
	if list, ok := slice(v); ok {
		return list
	}
	if m, ok := object(v); ok {
		return []any{m}
	}
	return []any{v}
}
