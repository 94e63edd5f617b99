package plugin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers/plugin"
)

// A process that nobody has written down is ended; the one that was, and those of other agents, are not.
func TestEndStrays(t *testing.T) {
	o := options(t)
	kept, stray := launchWith(t, o), launchWith(t, o)
	other, _ := launch(t)
	if got := plugin.EndStrays(o, kept.Reattachment()); !slices.Equal(got, []int{stray.PID()}) {
		t.Errorf("ended %v, want %d", got, stray.PID())
	}
	select {
	case <-stray.Exited():
	case <-time.After(30 * time.Second):
		t.Fatal("it still runs")
	}
	for _, c := range []*plugin.Client{kept, other} {
		if _, err := c.Fingerprint(t.Context()); err != nil {
			t.Errorf("process %d: %v", c.PID(), err)
		}
	}
	if got := plugin.EndStrays(o, kept.Reattachment()); len(got) != 0 {
		t.Errorf("ended %v again", got)
	}
}

func launchWith(t *testing.T, o plugin.Options) *plugin.Client {
	t.Helper()
	c, err := plugin.Launch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() })
	return c
}
