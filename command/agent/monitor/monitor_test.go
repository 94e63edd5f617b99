package monitor

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

func TestFollowersHaveALevelOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := NewHub()
		log := slog.New(hub.Handler(slog.DiscardHandler)).With("component", "client")
		if log.Enabled(t.Context(), slog.LevelDebug) {
			t.Error("debug is on and nobody follows")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var lines []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			hub.Follow(ctx, slog.LevelDebug, false, func(line []byte) error {
				lines = append(lines, string(line))
				return nil
			})
		}()
		synctest.Wait()
		log.Debug("seen", "k", "v")
		log.Log(t.Context(), LevelTrace, "not seen")
		synctest.Wait()
		cancel()
		<-done
		if len(lines) != 1 || !strings.HasSuffix(lines[0], "[DEBUG] client: seen: k=v\n") {
			t.Errorf("lines: %q", lines)
		}
		if log.Enabled(t.Context(), slog.LevelError) {
			t.Error("somebody still follows")
		}
	})
}

func TestSlowFollowerLosesLinesNotTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := NewHub()
		log := slog.New(hub.Handler(slog.DiscardHandler))
		resume := make(chan struct{})
		var told bool
		done := make(chan struct{})
		n := 0
		go func() {
			defer close(done)
			hub.Follow(t.Context(), slog.LevelInfo, true, func(line []byte) error {
				<-resume
				told = told || strings.Contains(string(line), "lines were dropped")
				if n++; n > backlog {
					return errors.New("enough")
				}
				return nil
			})
		}()
		synctest.Wait()
		for range 2 * backlog {
			log.Info("x")
		}
		close(resume)
		<-done
		if !told {
			t.Error("the follower was not told of the lines it lost")
		}
	})
}
