package drivers

import (
	"fmt"
	"strconv"
	"strings"
)

// unknown is what to tell about a key that no field has.
func unknown(name string, fields []Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	if near, ok := nearest(name, names); ok {
		return fmt.Sprintf("unknown option, did you mean %q?", near)
	}
	if len(names) == 0 {
		return "unknown option: none are allowed here"
	}
	if len(names) > 12 {
		return "unknown option"
	}
	return "unknown option: known are " + strings.Join(names, ", ")
}

// nearest is the candidate within edit distance 3 and less than half the name's length.
func nearest(name string, candidates []string) (string, bool) {
	best, distance := "", 4
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < distance && 2*d <= max(len(name), len(c)) {
			best, distance = c, d
		}
	}
	return best, best != ""
}

// editDistance is Levenshtein's, by bytes; names longer than 64 count as far from everything.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var row [65]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// describe names a value for people.
func describe(v any) string {
	switch x := plain(v).(type) {
	case nil:
		return "null"
	case string:
		return "the string " + strconv.Quote(clip(x))
	case bool:
		return strconv.FormatBool(x)
	case int64, float64:
		return fmt.Sprintf("the number %v", x)
	case []any:
		return "a list"
	case map[string]any:
		return "a map or block"
	}
	return fmt.Sprintf("%T", v)
}

// literal shows a value as it would be written inside a list.
func literal(v any) string {
	switch x := plain(v).(type) {
	case string:
		return strconv.Quote(clip(x))
	case bool, int64, float64:
		return fmt.Sprint(x)
	}
	return "…"
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

func plural(t Type) string {
	switch kind, _ := t.elem(); {
	case kind != "":
		return kind + "s"
	case t == Bool:
		return "booleans"
	case t == Any:
		return "values"
	}
	return string(t) + "s"
}
