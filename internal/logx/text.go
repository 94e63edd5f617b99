package logx

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LevelTrace is below slog's own levels.
const LevelTrace = slog.Level(-8)

var levelNames = []struct {
	level slog.Level
	name  string
}{
	{LevelTrace, "TRACE"}, {slog.LevelDebug, "DEBUG"}, {slog.LevelInfo, "INFO"},
	{slog.LevelWarn, "WARN"}, {slog.LevelError, "ERROR"},
}

// ParseLevel gives the level of a name, in any case.
func ParseLevel(name string) (slog.Level, bool) {
	upper := strings.ToUpper(name)
	if upper == "ERR" {
		upper = "ERROR"
	}
	for _, l := range levelNames {
		if l.name == upper {
			return l.level, true
		}
	}
	return 0, false
}

func levelName(l slog.Level) string {
	name := levelNames[0].name
	for _, x := range levelNames {
		if l >= x.level {
			name = x.name
		}
	}
	return name
}

// text writes records as lines:
//
//	2026-11-21T10:00:00.000Z [INFO]  component: message: key=value
type text struct {
	mu     *sync.Mutex
	out    io.Writer
	level  slog.Leveler
	source bool
	attrs  []slog.Attr // with their groups in the keys
	group  string      // prefix of further keys
}

func newText(out io.Writer, level slog.Leveler, source bool) *text {
	return &text{mu: &sync.Mutex{}, out: out, level: level, source: source}
}

func (t *text) Enabled(_ context.Context, l slog.Level) bool { return l >= t.level.Level() }

func (t *text) WithGroup(name string) slog.Handler {
	c := *t
	c.group += name + "."
	return &c
}

func (t *text) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *t
	c.attrs = slices.Clone(t.attrs)
	for _, a := range attrs {
		c.attrs = append(c.attrs, slog.Attr{Key: t.group + a.Key, Value: a.Value})
	}
	return &c
}

func (t *text) Handle(_ context.Context, r slog.Record) error {
	b := make([]byte, 0, 256)
	b = r.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	name := levelName(r.Level)
	b = append(append(append(b, " ["...), name...), ']')
	b = append(b, "      "[:6-len(name)]...)
	if t.source && r.PC != 0 {
		f, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		b = append(append(b, shortFile(f.File)...), ':')
		b = append(strconv.AppendInt(b, int64(f.Line), 10), ": "...)
	}
	for _, a := range t.attrs {
		if a.Key == "component" {
			b = append(append(b, a.Value.String()...), ": "...)
		}
	}
	b = append(b, printable(r.Message)...)
	colon := true
	add := func(key string, v slog.Value) {
		if colon {
			b, colon = append(b, ':'), false
		}
		b = append(append(append(b, ' '), key...), '=')
		b = appendValue(b, v)
	}
	for _, a := range t.attrs {
		if a.Key != "component" {
			add(a.Key, a.Value.Resolve())
		}
	}
	r.Attrs(func(a slog.Attr) bool {
		add(t.group+a.Key, a.Value.Resolve())
		return true
	})
	b = append(b, '\n')
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.out.Write(b)
	return err
}

func appendValue(b []byte, v slog.Value) []byte {
	var s string
	switch v.Kind() {
	case slog.KindTime:
		s = v.Time().Format(time.RFC3339Nano)
	default:
		s = v.String()
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r == 0x7f }) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

// printable keeps what a task or a request has put into a message from writing
// lines of its own.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return strconv.Quote(s)
	}
	return s
}

func shortFile(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		if j := strings.LastIndexByte(path[:i], '/'); j >= 0 {
			return path[j+1:]
		}
	}
	return path
}
