package plugin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/seraihq/serai/drivers"
)

// tasked is a driver with so many tasks.
type tasked struct {
	drivers.Driver
	running, known int
}

func (t *tasked) Tasks() (running, known int) { return t.running, t.known }

// leaving is one that can write down how its tasks ended.
type leaving struct {
	tasked
	err error
}

func (l *leaving) Leave() error { return l.err }

func TestLinger(t *testing.T) {
	for name, c := range map[string]struct {
		driver drivers.Driver
		orphan bool
		call   bool          // one does not end
		want   time.Duration // 0: never within a month
	}{
		"no tasks":                         {&tasked{}, false, false, lingerIdle},
		"ended task":                       {&tasked{known: 1}, false, false, lingerEnded},
		"running":                          {&tasked{running: 1, known: 1}, false, false, 0},
		"orphan, no tasks":                 {&tasked{}, true, false, lingerOrphan},
		"orphan, ended task":               {&tasked{known: 1}, true, false, lingerEnded},
		"orphan, running":                  {&tasked{running: 1, known: 1}, true, false, 0},
		"ended task, written down":         {&leaving{tasked: tasked{known: 1}}, false, false, lingerIdle},
		"orphan, ended task, written down": {&leaving{tasked: tasked{known: 1}}, true, false, lingerIdle},
		"ended task, no space to write":    {&leaving{tasked{known: 1}, errors.New("full")}, false, false, lingerEnded},
		"running beside others":            {&leaving{tasked: tasked{running: 1, known: 2}}, true, false, 0},
		"orphan, in the midst":             {&tasked{}, true, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			ends := make(chan time.Time, 1)
			l := newLinger(c.driver)
			l.exit = func() {
				select {
				case ends <- time.Now():
				default:
				}
			}
			l.HandleConn(ctx, &stats.ConnBegin{})
			if c.call {
				l.HandleRPC(ctx, &stats.Begin{})
			}
			if c.orphan {
				l.orphaned()
			}
			time.Sleep(48 * time.Hour)
			if len(ends) != 0 {
				t.Fatalf("%s: ended though somebody is connected", name)
			}
			l.HandleConn(ctx, &stats.ConnEnd{})
			began := time.Now()
			time.Sleep(30 * 24 * time.Hour)
			l.timer.Stop()
			var ended time.Duration
			if len(ends) > 0 {
				ended = (<-ends).Sub(began)
			}
			if ended < c.want || ended > c.want+lingerIdle || (c.want == 0 && ended != 0) {
				t.Errorf("%s: ended after %v, want %v", name, ended, c.want)
			}
		})
	}
	if newLinger(struct{ drivers.Driver }{}) != nil {
		t.Error("a driver that cannot say lingers")
	}
}
