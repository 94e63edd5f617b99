package gossip

import (
	"context"
	"log"
	"log/slog"
	"strings"
)

// bridge hands the lines of serf's and memberlist's logs to slog. They tell of
// the network in detail, which to an operator is a level less than they think.
type bridge struct{ log *slog.Logger }

func newBridge(l *slog.Logger) *log.Logger { return log.New(bridge{l}, "", 0) }

// Write takes a line like "[WARN] memberlist: text".
func (b bridge) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelDebug
	if strings.HasPrefix(text, "[ERR") || strings.HasPrefix(text, "[WARN]") {
		level = slog.LevelInfo
		for _, usual := range quiet {
			if strings.Contains(text, usual) {
				level = slog.LevelDebug
			}
		}
	}
	if _, rest, found := strings.Cut(text, "] "); found {
		text = rest
	}
	b.log.Log(context.Background(), level, text)
	return len(line), nil
}

// quiet are lines that are part of every start and stop, or that admit has said
// better.
var quiet = []string{
	"memberlist: Refuting", "memberlist: ignoring alive message", "memberlist: Failed push/pull merge",
	"memberlist: Conflicting address", "memberlist: Got ping for unexpected node", "serf: Failed to re-join any previously known node",
	"memberlist: Was able to connect", "memberlist: Binding to public address", "serf: Name conflict", "memberlist: Failed to send",
	"memberlist: Push/Pull with", "memberlist: Failed fallback TCP ping", "serf: Shutdown without a Leave",
}
