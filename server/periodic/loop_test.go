package periodic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// bench is a loop over a real store, with a clock that can be set.
type bench struct {
	t     *testing.T
	store *state.Store
	ahead atomic.Int64 // nanoseconds of the clock before that of the bubble

	mu       sync.Mutex
	fail     func() (lost, late bool) // of the loop's commands
	fsm      *fsm.FSM
	index    uint64
	commands int
	started  map[string][]time.Time // due times of what was started, by job
	stop     func()
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, store: state.New(), index: 10, started: map[string][]time.Time{}, stop: func() {}}
	b.fsm = fsm.New(b.store)
	return b
}

func (b *bench) now() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }

var errLog = errors.New("the log is away")

func (b *bench) Apply(ctx context.Context, c fsm.Command) (any, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lost, late bool
	if b.fail != nil {
		lost, late = b.fail()
	}
	if lost || ctx.Err() != nil {
		return nil, 0, errLog
	}
	result, index, err := b.do(c)
	if late { // applied, and nobody knows
		return nil, 0, errLog
	}
	return result, index, err
}

func (b *bench) do(c fsm.Command) (any, uint64, error) {
	entry, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	b.index++
	b.commands++
	result, err := b.fsm.Apply(b.index, entry)
	if runs, ok := c.(*fsm.PeriodicStart); ok && err == nil {
		for i, x := range result.([]fsm.PeriodicStarted) {
			if x.Job != nil {
				b.started[runs.Runs[i].JobID] = append(b.started[runs.Runs[i].JobID], time.Unix(0, runs.Runs[i].Due))
			}
		}
	}
	return result, b.index, err
}

func (b *bench) entries() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commands
}

func (b *bench) apply(c fsm.Command) any {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	result, _, err := b.do(c)
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

func (b *bench) job(id string, change func(*api.Job)) {
	b.t.Helper()
	j := &api.Job{
		ID: id, Name: id, Namespace: "default", Type: api.JobTypeBatch, Priority: 50, NodePool: "default", SubmitTime: b.now().UnixNano(),
		Periodic:   &api.PeriodicConfig{Enabled: true, Spec: "* * * * *", TimeZone: "UTC"},
		TaskGroups: []*api.TaskGroup{{Name: "g", Count: 1, Tasks: []*api.Task{{Name: "t", Driver: "mock_driver", Resources: &api.Resources{CPU: 1, MemoryMB: 10}}}}},
	}
	if change != nil {
		change(j)
	}
	b.apply(&fsm.JobRegister{Job: j})
}

// lead starts the loop, as a new leader does.
func (b *bench) lead() {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	l := New(Config{Store: b.store, Log: b, Logger: slog.New(slog.DiscardHandler), Now: b.now})
	go func() { done <- l.Run(ctx) }()
	b.stop = func() {
		cancel()
		<-done
		b.stop = func() {}
	}
	synctest.Wait()
}

func (b *bench) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// runs gives the clock times of what was started since it was asked last.
func (b *bench) runs(id string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := ""
	for _, t := range b.started[id] {
		text += t.UTC().Format("15:04:05 ")
	}
	delete(b.started, id)
	return text
}

func (b *bench) want(id, want string) {
	b.t.Helper()
	if got := b.runs(id); got != want {
		b.t.Errorf("%s at %s: started %q, want %q", id, b.now().UTC().Format(time.DateTime), got, want)
	}
}

// within runs a test in a bubble, whose clock begins at midnight.
func within(t *testing.T, test func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer func() { b.stop() }()
		test(b)
	})
}

func TestRunsAreStartedWhenDue(t *testing.T) {
	within(t, func(b *bench) {
		b.lead()
		b.job("minute", nil)
		b.job("second", func(j *api.Job) { j.Periodic.Spec = "* * * * * * *" })
		b.job("lists", func(j *api.Job) { j.Periodic.Spec, j.Periodic.Specs = "", []string{"5 0 * * *", "2,3 0 * * *"} })
		b.job("off", func(j *api.Job) { j.Periodic.Enabled = false })
		b.job("template", func(j *api.Job) { j.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "optional"} })
		b.sleep(3*time.Second + time.Millisecond)
		b.want("second", "00:00:01 00:00:02 00:00:03 ")
		b.apply(&fsm.JobDeregister{Namespace: "default", ID: "second"})
		b.sleep(5 * time.Minute)
		b.want("second", "")
		b.want("minute", "00:01:00 00:02:00 00:03:00 00:04:00 00:05:00 ")
		b.want("lists", "00:02:00 00:03:00 00:05:00 ")
		b.want("off", "")
		b.want("template", "")
	})
}

func TestChangesOfAJob(t *testing.T) {
	within(t, func(b *bench) {
		b.lead()
		b.job("j", func(j *api.Job) { j.Periodic.Spec = "30 0 * * *" })
		b.sleep(20 * time.Minute)
		b.job("j", func(j *api.Job) { j.Periodic.Spec = "10,25 0 * * *" }) // what it would have missed is not made up for
		b.sleep(20 * time.Minute)
		b.want("j", "00:25:00 ")
		b.job("j", func(j *api.Job) { j.Periodic.Enabled = false })
		b.sleep(24 * time.Hour)
		b.job("j", func(j *api.Job) { j.Periodic.Spec = "45 0 * * *" })
		b.sleep(10 * time.Minute)
		b.want("j", "00:45:00 ")
		b.apply(&fsm.JobDeregister{Namespace: "default", ID: "j", Purge: true})
		b.sleep(48 * time.Hour)
		b.want("j", "")
	})
}

func TestMissedRunsAreMadeUpForOnce(t *testing.T) {
	within(t, func(b *bench) {
		b.job("j", func(j *api.Job) { j.Periodic.Spec = "*/10 * * * *" })
		b.job("second", func(j *api.Job) { j.Periodic.Spec = "* * * * * * *" })
		b.sleep(35*time.Minute + 500*time.Millisecond)
		b.lead()
		b.want("j", "00:30:00 ")
		b.want("second", "00:35:00 ")
		b.stop()
		b.lead()
		b.sleep(6 * time.Minute)
		b.want("j", "00:40:00 ")
		b.runs("second")
		b.stop()
		b.lead()
		b.sleep(time.Millisecond)
		b.want("j", "")
	})
}

func TestClockJumps(t *testing.T) {
	within(t, func(b *bench) {
		b.lead()
		b.job("j", func(j *api.Job) { j.Periodic.Spec = "*/10 * * * *" })
		b.sleep(11 * time.Minute)
		b.want("j", "00:10:00 ")
		b.ahead.Add(int64(30 * time.Minute)) // over three of them
		b.sleep(20 * time.Second)
		b.want("j", "00:40:00 ")
		b.ahead.Add(-int64(25 * time.Minute)) // they have been
		b.sleep(25 * time.Minute)
		b.want("j", "")
		b.sleep(10 * time.Minute)
		b.want("j", "00:50:00 ")
	})
}

func TestManyRunsShareEntries(t *testing.T) {
	within(t, func(b *bench) {
		for i := range 1000 {
			b.job(fmt.Sprint("j", i), nil)
		}
		b.lead()
		before := b.entries()
		b.sleep(time.Minute + time.Second)
		if n := b.entries() - before; n != 2 {
			t.Errorf("1000 runs took %d entries", n)
		}
		if n := b.store.View().JobCount(); n != 2000 {
			t.Errorf("%d jobs", n)
		}
	})
}

// stretch is a time during which the clock went evenly.
type stretch struct {
	from, until time.Time // by the clock
	led         bool
}

// TestModel lets leaders come and go, clocks jump and the log fail, and looks
// whether every run was started that had to be, once.
func TestModel(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			within(t, func(b *bench) { model(b, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

var modelSpecs = map[string]string{"sevens": "*/7 * * * * * *", "minutes": "* * * * *", "fives": "*/5 * * * *", "hours": "0 * * * *", "berlin": "30 2 * * *"}

func model(b *bench, random *rand.Rand) {
	for id, spec := range modelSpecs {
		b.job(id, func(j *api.Job) { j.Periodic.Spec, j.Periodic.TimeZone = spec, "Europe/Berlin" })
	}
	luck := rand.New(rand.NewPCG(random.Uint64(), 2))
	b.mu.Lock()
	b.fail = func() (lost, late bool) { return luck.IntN(20) == 0, luck.IntN(20) == 0 }
	b.mu.Unlock()
	begin := b.now()
	var times []stretch
	for range 12 {
		s := stretch{from: b.now(), led: random.IntN(4) > 0}
		if s.led {
			b.lead()
		}
		b.sleep(time.Duration(random.Int64N(int64(30 * time.Minute))))
		s.until = b.now()
		b.stop()
		times = append(times, s)
		if random.IntN(3) == 0 {
			b.ahead.Add(random.Int64N(int64(2*time.Hour)) - int64(time.Hour))
		}
	}
	for id, spec := range modelSpecs {
		judge(b, id, &api.PeriodicConfig{Spec: spec, TimeZone: "Europe/Berlin"}, begin, times)
	}
}

func judge(b *bench, id string, p *api.PeriodicConfig, begin time.Time, times []stretch) {
	count := map[int64]int{}
	for _, due := range b.started[id] {
		count[due.Unix()]++
		if next, err := p.Next(due.Add(-time.Second)); err != nil || !next.Equal(due) {
			b.t.Errorf("%s: a run at %s was never due", id, due)
		}
		if count[due.Unix()] > 1 {
			b.t.Errorf("%s: the run at %s was started twice", id, due)
		}
	}
	seen := begin // the latest that a leader's clock has shown
	for _, s := range times {
		if !s.led {
			continue
		}
		// Runs in the dark before the stretch: the last, and no other.
		if s.from.After(seen) && s.until.Sub(s.from) > 30*time.Second {
			b.judgeDark(id, p, count, seen, s.from)
		}
		for due, _ := p.Next(later(s.from, seen)); !due.After(s.until.Add(-20 * time.Second)); due, _ = p.Next(due) {
			if count[due.Unix()] != 1 {
				b.t.Errorf("%s: the run at %s was started %d times while somebody led from %s to %s", id, due, count[due.Unix()], s.from, s.until)
			}
		}
		seen = later(seen, s.until)
	}
}

// judgeDark looks at the runs that were due when nobody led. Those of the last
// seconds of the leader before may still have been started.
func (b *bench) judgeDark(id string, p *api.PeriodicConfig, count map[int64]int, from, until time.Time) {
	last, err := p.Last(from, until)
	if err != nil || last.IsZero() {
		return
	}
	if count[last.Unix()] != 1 {
		b.t.Errorf("%s: the run at %s, the last that was missed, was started %d times", id, last, count[last.Unix()])
	}
	for due, _ := p.Next(from); due.Before(last); due, _ = p.Next(due) {
		if count[due.Unix()] != 0 {
			b.t.Errorf("%s: the run at %s was made up for, and so was that at %s", id, due, last)
		}
	}
}
