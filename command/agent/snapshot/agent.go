package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/google/uuid"

	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/server/backup"
)

// Agent is what RunAgent needs.
type Agent struct {
	Config config.Snapshot
	Host   string // names this machine in the lock
	Getenv func(string) string
	Save   func(ctx context.Context, w io.Writer) error // writes a saved snapshot
	Logger *slog.Logger
	// Once saves one snapshot, due or not, and ends.
	Once bool
}

// RunAgent saves snapshots by the clock until ctx ends, beside the servers. With
// Once it gives the name of the one that it saved.
func RunAgent(ctx context.Context, a Agent) (name string, err error) {
	target, err := Target(a.Config, a.Host+"-"+uuid.NewString()[:8], a.Getenv)
	if err != nil {
		return "", err
	}
	r := backup.New(backup.Config{
		Target: target, Interval: a.Config.Interval, Retain: a.Config.Retain, Save: a.Save, Logger: a.Logger, Whole: true,
	})
	if !a.Once {
		if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
			return "", err
		}
		return "", nil
	}
	s, err := r.Once(ctx, true)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s in %s", s.Name(), target), nil
}
