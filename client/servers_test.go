package client

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/seraihq/serai/client/store"
)

// listed remembers what a client does with its list of servers.
type listed struct {
	configured, told []string
	keep             func(configured, told []string)
}

func (l *listed) Recall(configured, told []string)                 { l.configured, l.told = configured, told }
func (l *listed) KeepServers(keep func(configured, told []string)) { l.keep = keep }

// TestServersOutliveTheProcess opens the state of a client anew.
func TestServersOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	life := func(work func(*listed)) {
		st, err := store.Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		l := &listed{}
		c := &Client{store: st, logger: slog.New(slog.DiscardHandler)}
		c.cfg.Servers = l
		c.rememberServers()
		work(l)
	}
	life(func(l *listed) {
		if len(l.told) != 0 {
			t.Errorf("a new client knows %v", l.told)
		}
		l.keep([]string{"seed:4647"}, []string{"a:4647", "b:4647"})
		l.keep([]string{"seed:4647"}, []string{"b:4647", "c:4647"})
	})
	life(func(l *listed) {
		if !slices.Equal(l.configured, []string{"seed:4647"}) || !slices.Equal(l.told, []string{"b:4647", "c:4647"}) {
			t.Errorf("after a restart: %v, told to those of %v", l.told, l.configured)
		}
	})
}
