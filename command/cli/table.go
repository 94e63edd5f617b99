package cli

import (
	"io"
	"strings"
)

// Table is rows of cells under a heading, written in columns two spaces apart.
type Table struct {
	rows [][]string
}

// NewTable makes a table with the names of its columns.
func NewTable(columns ...string) *Table { return &Table{rows: [][]string{columns}} }

// Row adds a row. Line breaks and control characters in cells become spaces.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// Len counts the rows without the heading.
func (t *Table) Len() int { return len(t.rows) - 1 }

// Write writes the table; the heading is bold.
func (t *Table) Write(w io.Writer, style Style) {
	head := t.rows[0]
	bold := make([]string, len(head))
	for i, cell := range head {
		bold[i] = style.Bold(cell)
	}
	writeColumns(w, append([][]string{bold}, t.rows[1:]...), "  ")
}

// Pairs is a list of names and values, written as `Name = value`.
type Pairs struct {
	rows [][]string
}

// Add adds a name with its value.
func (p *Pairs) Add(name, value string) { p.rows = append(p.rows, []string{name, value}) }

// Write writes the list with the equals signs under each other.
func (p *Pairs) Write(w io.Writer, style Style) {
	rows := make([][]string, len(p.rows))
	for i, r := range p.rows {
		rows[i] = []string{style.Bold(r[0]), orNone(r[1])}
	}
	writeColumns(w, rows, " = ")
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

func writeColumns(w io.Writer, rows [][]string, gap string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			row[i] = Clean(cell)
			widths[i] = max(widths[i], width(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString(gap)
			}
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-width(cell)))
			}
		}
		io.WriteString(w, strings.TrimRight(line.String(), " ")+"\n")
	}
}

// Clean keeps text of jobs and tasks from moving the cursor: control characters
// become spaces, only our own colour codes stay.
func Clean(s string) string {
	if !strings.ContainsFunc(s, isControl) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			if code := colourCode(s[i:]); code != "" {
				b.WriteString(code)
				i += len(code)
				continue
			}
		}
		r, size := rune(s[i]), 1
		if r >= 0x80 {
			r, size = decode(s[i:])
		}
		if isControl(r) {
			r = ' '
		}
		b.WriteRune(r)
		i += size
	}
	return b.String()
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
