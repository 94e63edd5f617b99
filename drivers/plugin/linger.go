package plugin

import (
	"context"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/seraihq/serai/drivers"
)

// How long a host that nobody is connected to stays: without tasks, and with tasks that have ended and whose end nobody has asked for. With a
// running task it stays for ever.
const (
	lingerIdle  = time.Minute
	lingerEnded = 24 * time.Hour
	// lingerOrphan is for a host without tasks whose agent was killed: perhaps before it wrote down how to find the host again.
	lingerOrphan = time.Second
)

// Tasked is a driver that can say how many tasks it has. Its host ends by itself when nobody needs it any more; that of another driver waits to be
// ended.
type Tasked interface {
	// Tasks returns how many tasks run and how many are known altogether.
	Tasks() (running, known int)
}

// linger watches the connections of a host and ends the process when it has been left for good.
type linger struct {
	driver Tasked
	exit   func()

	mu          sync.Mutex
	connections int
	// calls are those that go on; one may be about to start a task, also after its connection is gone.
	calls int
	// orphan is whether the agent that started the host is gone without a word.
	orphan bool
	timer  *time.Timer
	left   time.Time
}

// newLinger returns nil for a driver that cannot say.
func newLinger(d drivers.Driver) *linger {
	t, ok := d.(Tasked)
	if !ok {
		return nil
	}
	l := &linger{driver: t, exit: func() { os.Exit(0) }, left: time.Now()}
	l.timer = time.AfterFunc(lingerIdle, l.check)
	return l
}

// check ends the process when its time has come, and otherwise looks again later.
func (l *linger) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connections > 0 {
		return
	}
	running, known := l.driver.Tasks() // no call begins or ends meanwhile
	alone := time.Since(l.left)
	if l.calls == 0 && running == 0 && (known == 0 && alone >= l.patience() || alone >= lingerEnded) {
		l.exit()
	}
	l.timer.Reset(lingerIdle)
}

// patience is how long a host without tasks stays alone; l.mu is held.
func (l *linger) patience() time.Duration {
	if l.orphan {
		return lingerOrphan
	}
	return lingerIdle
}

// orphaned is told when the agent that started the host has been killed.
func (l *linger) orphaned() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orphan = true
	if l.connections == 0 {
		l.timer.Reset(lingerOrphan)
	}
}

// HandleConn implements stats.Handler.
func (l *linger) HandleConn(_ context.Context, s stats.ConnStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s.(type) {
	case *stats.ConnBegin:
		l.connections++
		l.timer.Stop()
	case *stats.ConnEnd:
		if l.connections--; l.connections == 0 {
			l.left = time.Now()
			l.timer.Reset(l.patience())
		}
	}
}

// TagConn implements stats.Handler.
func (l *linger) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// TagRPC implements stats.Handler.
func (l *linger) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (l *linger) HandleRPC(_ context.Context, s stats.RPCStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s.(type) {
	case *stats.Begin:
		l.calls++
	case *stats.End:
		l.calls--
	}
}
