package jobspec

import (
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/hclx"
)

// Error lists what is wrong with a job file. It is of kind api.ErrInvalid, and
// hclx.AsProblems finds its problems.
type Error struct{ Problems hclx.Problems }

func (e *Error) Error() string { return e.Problems.Error() }

// Unwrap gives the kind and the problems.
func (e *Error) Unwrap() []error { return []error{api.ErrInvalid, e.Problems} }

func positionsOf(file string, ranges map[string]hcl.Range) map[string]Position {
	out := make(map[string]Position, len(ranges))
	for path, r := range ranges {
		if !strings.Contains(path, "\x00") {
			out[path] = Position{File: file, Line: r.Start.Line, Column: r.Start.Column, offset: r.Start.Byte}
		}
	}
	return out
}

// Locate gives problems their places in the job file: that of the field, or of
// the nearest block around it that the file has. It is nil without problems.
func (r *Result) Locate(problems api.Problems) error {
	if len(problems) == 0 {
		return nil
	}
	if r.file == nil {
		return problems
	}
	return invalid(r.locate(problems))
}

func (r *Result) locate(problems api.Problems) hclx.Problems {
	out := make(hclx.Problems, 0, len(problems))
	for _, p := range problems {
		at := r.position(p.Path)
		out = append(out, r.file.At(hcl.Range{Start: hcl.Pos{Line: at.Line, Column: at.Column, Byte: at.offset}}, "%s", p.Text))
	}
	return out
}

// written gives those problems of a job that are about values which stand in
// the file, on lines of which nothing is said yet: what is missing may be so
// only because of the other problems.
func (r *Result) written(problems api.Problems, said hclx.Problems) hclx.Problems {
	lines := map[int]bool{}
	for _, p := range said {
		lines[p.Line] = true
	}
	var about api.Problems
	for _, p := range problems {
		if at, ok := r.Positions[p.Path]; ok && p.Path != "" && !lines[at.Line] {
			about = append(about, p)
		}
	}
	return r.locate(about)
}

// position finds the place of a field or of what is around it.
func (r *Result) position(path string) Position {
	for {
		if at, ok := r.Positions[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return r.Positions[""]
		}
		path = path[:cut]
	}
}

func sortBlocks(blocks []block) {
	sort.SliceStable(blocks, func(i, j int) bool { return blocks[i].at.Start.Byte < blocks[j].at.Start.Byte })
}
