package plugin

import (
	"context"
	"log/slog"
	"syscall"
	"testing"
	"time"
)

// A host without tasks ends when its agent is killed, connected or not, and stays when its agent lets go of it.
func TestLifeline(t *testing.T) {
	path, args, err := HostCommand("", "mock_driver")
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Name: "mock", Path: path, Args: args, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	s, err := spawn(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer abandon(s.process)
	_ = s.lifeline.Close()
	if err := s.process.Ended(ctx); err != nil {
		t.Errorf("never connected: %v", err)
	}

	c, err := Launch(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.lifeline.Close()
	_ = c.conn.Close()
	select {
	case <-c.Exited():
	case <-ctx.Done():
		t.Error("the host stays when its agent is gone")
	}
	_ = c.Close()

	if c, err = Launch(ctx, opts); err != nil {
		t.Fatal(err)
	}
	letGo(c.lifeline)
	_ = c.conn.Close()
	select {
	case <-c.Exited():
		t.Error("the host ended though its agent let go of it")
	case <-time.After(2 * lingerOrphan):
	}
	_ = c.process.Signal(syscall.SIGKILL)
	<-c.Exited()
	_ = c.Close()
}
