package logx

import (
	"io"
	"log/slog"
	"strings"
)

// Options say how a log is written.
type Options struct {
	Level  slog.Leveler
	JSON   bool
	Source bool // with the place in the code
}

// Handler gives a handler that writes lines to out.
func Handler(out io.Writer, o Options) slog.Handler {
	if o.JSON {
		return slog.NewJSONHandler(out, &slog.HandlerOptions{AddSource: o.Source, Level: o.Level, ReplaceAttr: jsonNames})
	}
	return newText(out, o.Level, o.Source)
}

// jsonNames gives the keys of a line the names that they have in Nomad's logs.
func jsonNames(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "@timestamp"
	case slog.LevelKey:
		if l, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("@level", strings.ToLower(levelName(l)))
		}
	case slog.MessageKey:
		a.Key = "@message"
	case "component":
		a.Key = "@module"
	}
	return a
}
