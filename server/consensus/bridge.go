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

// levels are those of messages that the library takes more seriously than they
// are: of elections as they go, and of a server that is away, which "failed to
// contact" tells, once and not four times a second.
var levels = map[string]slog.Level{
	"Election timeout reached, restarting election":                     slog.LevelDebug,
	"heartbeat timeout reached, starting election":                      slog.LevelDebug,
	"no known peers, aborting election":                                 slog.LevelDebug,
	"not part of stable configuration, aborting election":               slog.LevelDebug,
	"unable to get address for server, using fallback address":          slog.LevelDebug,
	"pre-vote is disabled because it is not supported by the Transport": slog.LevelDebug,
	"rejecting pre-vote request since we have a leader":                 slog.LevelDebug,
	"rejecting vote request since we have a leader":                     slog.LevelDebug,
	"failed to make requestVote RPC":                                    slog.LevelDebug,
	"failed to heartbeat to":                                            slog.LevelDebug,
	"failed to appendEntries to":                                        slog.LevelDebug,
	"failed to pipeline appendEntries":                                  slog.LevelDebug,
	"failed to start pipeline replication to":                           slog.LevelDebug,
	"failed to decode incoming command":                                 slog.LevelDebug,
	"failed to flush response":                                          slog.LevelDebug,
	"peer has newer term, stopping replication":                         slog.LevelDebug,
	"new leader elected, stepping down":                                 slog.LevelDebug,
	"previous log term mis-match":                                       slog.LevelDebug,
	"failed to get previous log":                                        slog.LevelDebug,
	"appendEntries rejected, sending older logs":                        slog.LevelDebug,
	"failed to send snapshot to":                                        slog.LevelWarn,
	"failed to install snapshot":                                        slog.LevelWarn,
	"failed to copy snapshot":                                           slog.LevelWarn,
}

func (b *bridge) Log(level hclog.Level, msg string, args ...any) {
	if level == hclog.Trace {
		return
	}
	to, known := levels[msg]
	switch {
	case known:
	case level >= hclog.Error:
		to = slog.LevelError
	case level == hclog.Warn:
		to = slog.LevelWarn
	default:
		to = slog.LevelDebug
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
