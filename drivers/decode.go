package drivers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Problem is one fault of a configuration.
type Problem struct {
	// Path is where: "auth.username", "mount[1].target".
	Path string
	// Text is what is wrong and what to do.
	Text string
}

// ConfigError is all that is wrong with a configuration.
type ConfigError struct{ Problems []Problem }

// Error lists the problems, separated by semicolons.
func (e *ConfigError) Error() string {
	out := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		out[i] = p.Path + ": " + p.Text
	}
	return "config: " + strings.Join(out, "; ")
}

// ConfigProblems returns the problems in err, when it is a ConfigError.
func ConfigProblems(err error) []Problem {
	if ce, ok := errors.AsType[*ConfigError](err); ok {
		return ce.Problems
	}
	return nil
}

// Validate checks a configuration as it stands in a job file, where strings may still hold references (${…}) that only a node can
// resolve: such a string passes for any simple type. All problems are reported at once, as a *ConfigError.
func (s *Schema) Validate(raw map[string]any) error {
	d := decoder{lenient: true}
	d.object("", s, raw)
	return d.err()
}

// Decode checks raw and returns it in a uniform shape with defaults filled in: string, bool, int64 (whole numbers), float64, []any,
// map[string]any. Numbers and booleans may come as any Go number, as json.Number or as strings; a list of one for a single block, and a single
// block for a list; a list of maps for a map, merged. Absent optional fields stay absent. All problems are reported at once, as a *ConfigError.
func (s *Schema) Decode(raw map[string]any) (map[string]any, error) {
	d := decoder{}
	out := d.object("", s, raw)
	if err := d.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// DecodeInto is Decode followed by assignment to the struct that target points to, by its json tags.
func (s *Schema) DecodeInto(raw map[string]any, target any) error {
	m, err := s.Decode(raw)
	if err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := json.Unmarshal(text, target); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// decoder collects problems over one walk.
type decoder struct {
	lenient  bool
	problems []Problem
}

func (d *decoder) fail(path, format string, args ...any) {
	if path == "" {
		path = "(block)"
	}
	d.problems = append(d.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return &ConfigError{Problems: d.problems}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (d *decoder) object(path string, s *Schema, raw map[string]any) map[string]any {
	out := make(map[string]any, len(raw))
	if s == nil {
		s = &Schema{}
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if _, ok := s.Lookup(name); ok {
			continue
		}
		if s.Open {
			out[name] = d.value(join(path, name), Any, raw[name])
			continue
		}
		d.fail(join(path, name), "%s", unknown(name, s.Fields))
	}
	for _, f := range s.Fields {
		v, ok := raw[f.Name]
		if !ok || v == nil {
			d.absent(path, f, out)
			continue
		}
		out[f.Name] = d.field(join(path, f.Name), f, v)
	}
	return out
}

func (d *decoder) absent(path string, f Field, out map[string]any) {
	switch {
	case f.Required || (f.Kind == BlockList && f.Min > 0):
		what := "is required"
		if f.Kind != Attribute {
			what = "block is required"
		}
		d.fail(join(path, f.Name), "%s", what)
	case f.Default != nil:
		out[f.Name] = d.value(join(path, f.Name), f.Type, f.Default)
	}
}

func (d *decoder) field(path string, f Field, v any) any {
	switch f.Kind {
	case Block:
		list := asList(v)
		if len(list) != 1 {
			d.fail(path, "the block may be there once, not %d times", len(list))
			return nil
		}
		return d.block(path, f.Fields, list[0])
	case BlockList:
		return d.blockList(path, f, asList(v))
	case BlockMap:
		return d.blockMap(path, f, v, len(f.Labels))
	case BlockAttributes:
		return d.mapping(path, f.Type, v)
	}
	return d.value(path, f.Type, v)
}

func (d *decoder) block(path string, s *Schema, v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		d.fail(path, "must be a block, not %s", describe(v))
		return nil
	}
	return d.object(path, s, m)
}

func (d *decoder) blockList(path string, f Field, list []any) any {
	if len(list) < f.Min || (f.Max > 0 && len(list) > f.Max) {
		d.fail(path, "the block must be there %s, not %d times", bounds(f.Min, f.Max), len(list))
	}
	out := make([]any, 0, len(list))
	for i, v := range list {
		out = append(out, d.block(fmt.Sprintf("%s[%d]", path, i), f.Fields, v))
	}
	return out
}

func (d *decoder) blockMap(path string, f Field, v any, depth int) any {
	if depth == 0 {
		list := asList(v)
		if len(list) != 1 {
			d.fail(path, "the block may be there once, not %d times", len(list))
			return nil
		}
		return d.block(path, f.Fields, list[0])
	}
	out := map[string]any{}
	for _, one := range asList(v) {
		m, ok := one.(map[string]any)
		if !ok {
			d.fail(path, "must be a block with a label, not %s", describe(one))
			return nil
		}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if _, dup := out[k]; dup {
				d.fail(join(path, k), "there are two blocks with this label")
			}
			out[k] = d.blockMap(join(path, k), f, m[k], depth-1)
		}
	}
	return out
}

func bounds(low, high int) string {
	switch {
	case high == 0:
		return fmt.Sprintf("at least %d times", low)
	case low == high:
		return fmt.Sprintf("%d times", low)
	}
	return fmt.Sprintf("%d to %d times", low, high)
}
