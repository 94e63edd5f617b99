package consensus

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// bridge hands the library's log messages to slog. What the library calls
// information is detail to an operator, so it goes one level down.
type bridge struct {
	log     *slog.Logger
	name    string
	implied []any
}

func newBridge(l *slog.Logger) hclog.Logger {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return &bridge{log: l}
}

// usual are warnings that are part of every start of a single server.
var usual = map[string]bool{
	"Election timeout reached, restarting election":                     true,
	"heartbeat timeout reached, starting election":                      true,
	"pre-vote is disabled because it is not supported by the Transport": true,
}

func (b *bridge) Log(level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch {
	case level >= hclog.Error:
		to = slog.LevelError
	case level == hclog.Warn && !usual[msg]:
		to = slog.LevelWarn
	case level == hclog.Trace:
		return
	}
	b.log.Log(context.Background(), to, msg, rendered(args)...)
}

// rendered writes out the values that the library leaves to its own logger.
func rendered(args []any) []any {
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			if layout, ok := f[0].(string); ok {
				args[i] = fmt.Sprintf(layout, f[1:]...)
			}
		}
	}
	return args
}

func (b *bridge) Trace(string, ...any)          {}
func (b *bridge) Debug(msg string, args ...any) { b.Log(hclog.Debug, msg, args...) }
func (b *bridge) Info(msg string, args ...any)  { b.Log(hclog.Info, msg, args...) }
func (b *bridge) Warn(msg string, args ...any)  { b.Log(hclog.Warn, msg, args...) }
func (b *bridge) Error(msg string, args ...any) { b.Log(hclog.Error, msg, args...) }

func (b *bridge) enabled(l slog.Level) bool { return b.log.Enabled(context.Background(), l) }

func (b *bridge) IsTrace() bool { return false }
func (b *bridge) IsDebug() bool { return b.enabled(slog.LevelDebug) }
func (b *bridge) IsInfo() bool  { return b.enabled(slog.LevelDebug) }
func (b *bridge) IsWarn() bool  { return b.enabled(slog.LevelWarn) }
func (b *bridge) IsError() bool { return b.enabled(slog.LevelError) }

func (b *bridge) ImpliedArgs() []any { return b.implied }

func (b *bridge) With(args ...any) hclog.Logger {
	return &bridge{log: b.log.With(args...), name: b.name, implied: append(append([]any(nil), b.implied...), args...)}
}

func (b *bridge) Name() string { return b.name }

func (b *bridge) Named(name string) hclog.Logger {
	c := *b
	c.name = name
	return &c
}

func (b *bridge) ResetNamed(name string) hclog.Logger { return b.Named(name) }

func (b *bridge) SetLevel(hclog.Level) {}

func (b *bridge) GetLevel() hclog.Level {
	if b.IsDebug() {
		return hclog.Debug
	}
	return hclog.Warn
}

func (b *bridge) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(b.log.Handler(), slog.LevelDebug)
}

func (b *bridge) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return b.StandardLogger(nil).Writer()
}
