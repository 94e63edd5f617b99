package plugin

import (
	"context"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/seraihq/serai/drivers"
)

// How long a host that nobody is connected to stays: without tasks that run, and, when its driver cannot write down how they ended, with tasks whose
// end nobody has asked for. With a running task it stays for ever.
const (
	lingerIdle  = 8 * time.Second
	lingerEnded = 24 * time.Hour
	// lingerStart is for a host that nobody has connected to yet: its agent may be slow, and is missed by the lifeline when it is gone.
	lingerStart = time.Minute
	// lingerOrphan is for a host without tasks whose agent was killed: perhaps before it wrote down how to find the host again.
	lingerOrphan = time.Second
)

// Tasked is a driver that can say how many tasks it has. Its host ends by itself when nobody needs it any more; that of another driver waits to be
// ended.
type Tasked interface {
	// Tasks returns how many tasks run and how many are known altogether.
	Tasks() (running, known int)
}

// Leaver is a driver that can be left with tasks that have ended: another process of it tells later how.
type Leaver interface {
	// Leave writes down how tasks ended, for the Recover of another process. After an error the process stays.
	Leave() error
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
	l.timer = time.AfterFunc(lingerStart, l.check)
	return l
}

// check ends the process when its time has come, and otherwise looks again later.
func (l *linger) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connections > 0 {
		return
	}
	if l.calls == 0 && l.done(time.Since(l.left)) { // no call begins or ends meanwhile
		l.exit()
	}
	l.timer.Reset(l.patience())
}

// done is whether nobody needs the host that has been alone for so long; l.mu is held.
func (l *linger) done(alone time.Duration) bool {
	running, known := l.driver.Tasks()
	switch {
	case running > 0:
		return false
	case known == 0:
		return alone >= l.patience()
	case alone >= lingerEnded:
		return true
	case alone < lingerIdle:
		return false
	}
	leaver, can := l.driver.(Leaver)
	return can && leaver.Leave() == nil
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
