package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Live is a block of lines on a terminal that is redrawn in place.
type Live struct {
	w     io.Writer
	lines int
}

// NewLive gives a live display, or nil when the stream is not a terminal that
// can move its cursor: the caller then prints plain lines.
func NewLive(inv *Invocation) *Live {
	if !IsTerminal(inv.Stdout) || inv.Getenv("TERM") == "dumb" || inv.Conn.NoColor {
		return nil
	}
	return &Live{w: inv.Stdout}
}

// Size gives the width and height of the terminal.
func (l *Live) Size() (columns, rows int) {
	if f, ok := l.w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return 80, 24
}

// Draw replaces what was drawn before. Lines are cut at the terminal's width,
// and lines beyond its height are left out.
func (l *Live) Draw(lines []string) {
	columns, rows := l.Size()
	if len(lines) > rows-1 {
		lines = lines[:max(rows-1, 1)]
	}
	var b strings.Builder
	if l.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.lines)
	}
	for _, line := range lines {
		b.WriteString("\r\x1b[K" + cut(line, columns) + "\n")
	}
	b.WriteString("\x1b[J")
	l.lines = len(lines)
	io.WriteString(l.w, b.String())
}

// cut shortens a line with colour codes to n characters.
func cut(line string, n int) string {
	if width(line) <= n {
		return line
	}
	seen := 0
	for i := 0; i < len(line); {
		if code := colourCode(line[i:]); code != "" {
			i += len(code)
			continue
		}
		_, size := decode(line[i:])
		if seen++; seen >= n {
			return line[:i] + "…\x1b[0m"
		}
		i += size
	}
	return line
}
