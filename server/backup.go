package server

import (
	"context"
	"io"

	"github.com/seraihq/serai/server/backup"
)

// backUp saves snapshots by the clock; it is the leader's work.
func (s *Server) backUp(ctx context.Context) error {
	c := s.cfg.Backup
	c.Logger = s.cfg.Logger.With("component", "backup")
	c.Save = func(ctx context.Context, w io.Writer) error {
		_, err := s.raft.Save(ctx, w, false)
		return err
	}
	return backup.New(c).Run(ctx)
}
