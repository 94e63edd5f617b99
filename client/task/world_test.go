package task

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// world answers a task's actions in random order, and watches what must never
// happen: two starts at one time, a start beside a living process, a task that
// is killed and does not die.
type world struct {
	t    *testing.T
	r    *rand.Rand
	spec Spec
	st   State
	now  time.Time
	log  []string

	setUp, start, tearDown, recover, stop bool // asked for and not answered
	alive, watched                        bool
	timer                                 time.Time
}

func (w *world) send(ev Event) {
	ev.Time, ev.Jitter = w.now, w.r.Float64()
	w.log = append(w.log, string(ev.Kind)+" in "+string(w.st.Phase))
	next, actions := w.spec.Step(w.st, ev)
	w.st = next
	for _, a := range actions {
		w.act(a)
	}
	if dead := w.st.Phase == Dead; dead != (w.st.Task.State == api.TaskStateDead) {
		w.fail("phase %s with state %s", w.st.Phase, w.st.Task.State)
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Logf("%v", w.log[max(0, len(w.log)-30):])
	w.t.Fatalf(format, args...)
}

func (w *world) act(a Action) {
	switch a.Kind {
	case SetUp:
		if w.setUp || w.start || w.alive {
			w.fail("set up while setUp=%v start=%v alive=%v", w.setUp, w.start, w.alive)
		}
		w.setUp = true
	case Start:
		if w.start || w.alive || w.tearDown {
			w.fail("start while start=%v alive=%v tearDown=%v", w.start, w.alive, w.tearDown)
		}
		w.start = true
	case Watch:
		w.watched = true
	case Recover:
		w.recover = true
	case Stop:
		w.stop = true
	case TearDown:
		if w.alive || w.start {
			w.fail("tear down while alive=%v start=%v", w.alive, w.start)
		}
		w.tearDown = true
	case Timer:
		w.timer = w.now.Add(a.Delay)
	}
}

// answer gives one answer that is due; false when none is.
func (w *world) answer() bool {
	var due []func()
	add := func(is bool, f func()) {
		if is {
			due = append(due, f)
		}
	}
	err := ""
	if w.r.IntN(4) == 0 {
		err = "no"
	}
	add(w.setUp, func() { w.setUp = false; w.send(Event{Kind: SetUpDone, Err: err, Recoverable: w.r.IntN(2) == 0}) })
	add(w.start, func() {
		w.start, w.alive = false, err == ""
		w.send(Event{Kind: StartDone, Err: err, Recoverable: w.r.IntN(2) == 0})
	})
	add(w.alive && w.watched, func() {
		w.alive, w.watched, w.stop = false, false, false
		w.send(Event{Kind: Exited, Exit: drivers.ExitResult{ExitCode: w.r.IntN(2)}})
	})
	add(w.stop && w.r.IntN(10) == 0, func() { w.stop = false; w.send(Event{Kind: StopFailed, Err: "stuck"}) })
	add(w.recover, func() {
		w.recover, w.alive = false, w.alive && err == ""
		if !w.alive {
			err = "gone"
		}
		w.send(Event{Kind: Recovered, Err: err})
	})
	add(w.tearDown, func() { w.tearDown = false; w.send(Event{Kind: TornDown}) })
	add(!w.timer.IsZero(), func() {
		if w.timer.After(w.now) {
			w.now = w.timer
		}
		w.timer = time.Time{}
		w.send(Event{Kind: TimerFired})
	})
	if len(due) == 0 {
		return false
	}
	due[w.r.IntN(len(due))]()
	return true
}

// outside sends something that nobody asked for.
func (w *world) outside() {
	cause := RestartRequested("test")
	switch w.r.IntN(6) {
	case 0:
		w.send(Event{Kind: Go})
	case 1:
		w.send(Event{Kind: Restart, Cause: cause, Revive: w.r.IntN(4) == 0})
	case 2:
		w.send(Event{Kind: Note, Cause: cause})
	case 3:
		if w.r.IntN(10) == 0 {
			w.send(Event{Kind: Kill, NoDelay: w.r.IntN(2) == 0})
		}
	case 4:
		// The agent is killed: what it had asked for is forgotten, processes live
		// on. What was being started is destroyed by its ID.
		if w.r.IntN(5) == 0 {
			w.setUp, w.tearDown, w.recover, w.stop, w.watched, w.timer = false, false, false, false, false, time.Time{}
			if w.st.Phase == Starting {
				w.start, w.alive = false, false
			}
			w.send(Event{Kind: Restore})
		}
	case 5:
		w.now = w.now.Add(time.Duration(w.r.IntN(10_000)) * time.Millisecond)
	}
}

func TestRandomWorlds(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &world{t: t, r: r, now: time.Unix(1000, 0), spec: Spec{
			Name: "web", RestartOnSuccess: r.IntN(2) == 0, KillTimeout: time.Second, ShutdownDelay: time.Duration(r.IntN(2)) * time.Second,
			Policy: api.RestartPolicy{
				Attempts: r.IntN(3), Interval: api.Duration(time.Minute), Delay: api.Duration(r.IntN(3)) * api.Duration(time.Second),
				Mode: []string{api.RestartModeFail, api.RestartModeDelay}[r.IntN(2)],
			},
		}}
		w.log = append(w.log, "seed")
		w.send(Event{Kind: Create})
		for range 60 {
			if r.IntN(3) == 0 || !w.answer() {
				w.outside()
			}
		}
		w.send(Event{Kind: Kill, NoDelay: true})
		for i := 0; w.answer(); i++ {
			if i > 1000 {
				w.fail("seed %d: a killed task does not die", seed)
			}
		}
		if w.st.Phase != Dead {
			w.fail("seed %d: a killed task is %s", seed, w.st.Phase)
		}
	}
}
