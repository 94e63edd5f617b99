package agent

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/agent/monitor"
	"github.com/seraihq/serai/internal/logx"
)

// logs is the agent's log: where it goes, from which level, and who follows.
type logs struct {
	logger *slog.Logger
	level  *slog.LevelVar
	hub    *monitor.Hub
	file   *logx.File // nil: standard error alone
}

// openLogs opens the log as configured.
func openLogs(cfg *config.Agent, stderr io.Writer) (*logs, error) {
	l := &logs{level: new(slog.LevelVar), hub: monitor.NewHub()}
	if err := l.setLevel(cfg.LogLevel); err != nil {
		return nil, err
	}
	out := stderr
	if cfg.LogFile != "" {
		var err error
		if l.file, err = logx.OpenFile(cfg.LogFile, cfg.LogRotateBytes, cfg.LogRotateDuration, cfg.LogRotateMaxFiles); err != nil {
			return nil, err
		}
		out = io.MultiWriter(stderr, l.file)
	}
	h := logx.Handler(out, logx.Options{Level: l.level, JSON: cfg.LogJSON, Source: cfg.LogIncludeLocation})
	l.logger = slog.New(l.hub.Handler(h))
	return l, nil
}

func (l *logs) setLevel(name string) error {
	level, ok := logx.ParseLevel(name)
	if !ok {
		return fmt.Errorf("log_level %q is not known; use TRACE, DEBUG, INFO, WARN or ERROR", name)
	}
	l.level.Set(level)
	return nil
}

func (l *logs) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
