package slow

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		w := &Watch{what: "it was slow", limit: func(l *Limits) time.Duration { return l.Commit }}
		Configure(Limits{Commit: 100 * time.Millisecond})
		defer Configure(Usual)
		if w.Over(99*time.Millisecond) || !w.Over(100*time.Millisecond) {
			t.Error("the limit is not 100 ms")
		}
		for range 5 {
			w.Tell(log, 150*time.Millisecond, "cause", "disk")
		}
		time.Sleep(quiet)
		w.Tell(log, time.Second, "cause", "apply")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "took=150ms cause=disk") || !strings.Contains(lines[1], "took=1s cause=apply others_since=4") {
			t.Errorf("%q", lines)
		}
		Configure(Limits{})
		if w.Over(time.Hour) {
			t.Error("a limit of 0 is a limit")
		}
	})
}
