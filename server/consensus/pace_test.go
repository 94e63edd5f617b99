package consensus

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/slow"
)

// TestSlowCommitsAreExplained has everything count as slow.
func TestSlowCommitsAreExplained(t *testing.T) {
	slow.Configure(slow.Limits{Commit: 1, Apply: 1, Fsync: 1})
	defer slow.Configure(slow.Usual)
	var out bytes.Buffer
	cfg := config(t.TempDir())
	cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
	r := open(t, cfg)
	putNamespace(t, r, "x")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"slow to be committed", "command=NamespaceUpsert", "cause=", "last_fsync=", "slow to be applied", "largest=NamespaceUpsert", "slow to keep entries"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, out.String())
		}
	}
}

func TestCause(t *testing.T) {
	for want, c := range map[string][3]time.Duration{
		"this server's disk": {time.Second, 600 * time.Millisecond, 1}, "applying entries": {time.Second, 1, 600 * time.Millisecond},
		"other servers, or many commands at once": {time.Second, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		if got := cause(c[0], c[1], c[2]); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
}
