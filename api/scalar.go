package api

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"time"
)

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
