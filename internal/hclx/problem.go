package hclx

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Problem is one thing that is wrong with a source, with its place.
type Problem struct {
	File    string // name of the file as the caller gave it
	Line    int    // from 1; 0 when the problem has no place
	Column  int    // from 1, in characters; 0 when the problem has no place
	Message string // one sentence, lower case, no full stop
	Detail  string // what to do about it; may be empty
	Suggest string // nearest known name; may be empty
	Source  string // the offending line of the file, shortened; may be empty
	Warning bool   // does not make the source invalid
}

// maxSourceLine bounds the source text that is quoted in a problem, in characters.
const maxSourceLine = 160

// Error gives the problem as `file:line,column: message; did you mean "x"?`.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d,%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Suggest != "" {
		fmt.Fprintf(&b, "; did you mean %q?", p.Suggest)
	}
	if p.Detail != "" {
		b.WriteString(" (" + p.Detail + ")")
	}
	return b.String()
}

// Snippet quotes the offending line with a marker under the column, or is
// empty when the line is not known. It ends with a newline.
func (p Problem) Snippet() string {
	if p.Source == "" || p.Line == 0 {
		return ""
	}
	number := fmt.Sprintf("%4d", p.Line)
	pad := strings.Repeat(" ", len(number))
	var mark strings.Builder
	col := 1
	for _, r := range p.Source {
		if col >= p.Column {
			break
		}
		if r == '\t' {
			mark.WriteByte('\t')
		} else {
			mark.WriteByte(' ')
		}
		col++
	}
	return fmt.Sprintf("%s | %s\n%s | %s^\n", number, p.Source, pad, mark.String())
}

// Problems is a list of problems; it is an error when one of them is more than a warning.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err gives the problems that are not warnings as an error, or nil.
func (ps Problems) Err() error {
	if errs := ps.pick(false); len(errs) > 0 {
		return errs
	}
	return nil
}

// Warnings gives the problems that are only warnings.
func (ps Problems) Warnings() Problems { return ps.pick(true) }

func (ps Problems) pick(warning bool) Problems {
	var out Problems
	for _, p := range ps {
		if p.Warning == warning {
			out = append(out, p)
		}
	}
	return out
}

// Sort orders the problems by file, line and column and drops exact repetitions.
func (ps Problems) Sort() Problems {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	out := ps[:0]
	for i, p := range ps {
		if i == 0 || p != ps[i-1] {
			out = append(out, p)
		}
	}
	return out
}

// AsProblems finds the list of problems in an error.
func AsProblems(err error) (Problems, bool) {
	var ps Problems
	if errors.As(err, &ps) {
		return ps, true
	}
	return nil, false
}

// At builds a problem at a place of the file.
func (f *File) At(rng hcl.Range, format string, args ...any) Problem {
	return Problem{
		File: f.Name, Line: rng.Start.Line, Column: rng.Start.Column,
		Message: fmt.Sprintf(format, args...), Source: f.line(rng.Start),
	}
}

// line gives the text of the line a position is on.
func (f *File) line(pos hcl.Pos) string {
	if pos.Line == 0 || pos.Byte > len(f.Source) || pos.Byte < 0 {
		return ""
	}
	start := bytes.LastIndexByte(f.Source[:pos.Byte], '\n') + 1
	end := start
	for end < len(f.Source) && f.Source[end] != '\n' && end-start < 4*maxSourceLine {
		end++
	}
	text := strings.ToValidUTF8(string(f.Source[start:end]), "\uFFFD")
	text = strings.TrimRight(text, "\r")
	if utf8.RuneCountInString(text) > maxSourceLine {
		text = string([]rune(text)[:maxSourceLine]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, text)
}

// Problems turns diagnostics of the HCL library about this file into our own form.
func (f *File) Problems(diags hcl.Diagnostics) Problems {
	var out Problems
	for _, d := range diags {
		p := Problem{File: f.Name, Message: sentence(d.Summary), Warning: d.Severity == hcl.DiagWarning}
		if d.Detail != "" {
			p.Message += ": " + sentence(f.unmask(d.Detail))
		}
		if d.Subject != nil {
			p.Line, p.Column, p.Source = d.Subject.Start.Line, d.Subject.Start.Column, f.line(d.Subject.Start)
		}
		out = append(out, p)
	}
	return out
}

// sentence makes a library's message fit ours: lower-case start, no full stop.
func sentence(s string) string {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	r, n := utf8.DecodeRuneInString(s)
	next, _ := utf8.DecodeRuneInString(s[n:])
	if r >= 'A' && r <= 'Z' && !(next >= 'A' && next <= 'Z') {
		s = strings.ToLower(string(r)) + s[n:]
	}
	return s
}
