package broker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

func (b *bench) status(id string) string {
	x, ok := b.store.View().Evaluation(id)
	if !ok {
		return "gone"
	}
	return x.Status
}

func TestOneDoesTheWorkOfAll(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("x1", "default", "x", 60))
		for i := range 50 {
			b.add(eval(fmt.Sprintf("a%02d", i), "default", "a", 50))
		}
		b.want(b.next(10), "x1", "a49")
		b.end("a49", api.EvalComplete)
		time.Sleep(time.Second)
		synctest.Wait()
		for i := range 49 {
			id := fmt.Sprintf("a%02d", i)
			if x, _ := b.store.View().Evaluation(id); x.Status != api.EvalCancelled || x.NextEval == "" || !strings.Contains(x.StatusDescription, "superseded by evaluation "+x.NextEval) {
				t.Fatalf("%s is %s: %s", id, x.Status, x.StatusDescription)
			}
		}
		b.want(b.next(10))
		if b.cancels > 2 {
			t.Errorf("49 evaluations were ended by %d entries", b.cancels)
		}
	})
}

func TestWhatComesMeanwhileIsLookedAt(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("a1", "default", "a", 50))
		batch := b.broker.TryNext(1)
		b.add(eval("a2", "default", "a", 50), eval("a3", "default", "a", 50))
		if s := b.broker.Stats(); s.Unacked != 1 || s.Pending != 1 || s.Ready != 0 {
			t.Errorf("stats: %+v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if b.status("a1") != api.EvalPending || b.status("a2") != api.EvalCancelled || b.status("a3") != api.EvalPending {
			t.Errorf("a1 %s, a2 %s, a3 %s", b.status("a1"), b.status("a2"), b.status("a3"))
		}
		b.broker.Done(batch[0]) // to be looked at again: the newer one does it
		b.want(b.next(10), "a3")
		time.Sleep(time.Second)
		synctest.Wait()
		if b.status("a1") != api.EvalCancelled {
			t.Errorf("a1 is %s", b.status("a1"))
		}
	})
}

func TestTheNewestKeepsThePlaceAndTheUrgencyOfAll(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("a1", "default", "a", 50), eval("b1", "default", "b", 50), eval("c1", "default", "c", 50), eval("d1", "default", "d", 40))
		b.add(eval("a2", "default", "a", 50))                                 // keeps a1's place
		b.add(eval("c2", "default", "c", 90), eval("c3", "default", "c", 50)) // as urgent as c2
		b.add(eval("d2", "default", "d", 45))
		b.want(b.next(10), "c3", "a2", "b1", "d2")
	})
}

func TestAnEvaluationThatGoesAwayLeavesTheQueue(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("a1", "default", "a", 50), eval("b1", "default", "b", 50))
		b.end("a1", api.EvalCancelled)
		b.want(b.next(10), "b1")
		b.add(eval("b2", "default", "b", 50))
		b.end("b2", api.EvalCancelled)
		b.end("b1", api.EvalComplete)
		b.want(b.next(10))
		b.add(eval("a2", "default", "a", 50), eval("b3", "default", "b", 50))
		b.want(b.next(10), "a2", "b3")
		if s := b.broker.Stats(); s != (Stats{Unacked: 2}) {
			t.Errorf("stats: %+v", s)
		}
	})
}

// TestNobodyStarves: a namespace with very much to do, and more all the time,
// does not keep another from its turn.
func TestNobodyStarves(t *testing.T) {
	run(t, func(b *bench) {
		flood := func(from, n int) {
			c := &fsm.EvalUpsert{}
			for i := from; i < from+n; i++ {
				c.Evals = append(c.Evals, eval(fmt.Sprintf("x%06d", i), "busy", fmt.Sprint("x", i), 50))
			}
			b.apply(c)
		}
		flood(0, 20000)
		synctest.Wait()
		for round := range 100 {
			b.add(eval(fmt.Sprint("y", round), "quiet", fmt.Sprint("y", round), 50), eval(fmt.Sprint("z", round), "calm", fmt.Sprint("z", round), 50))
			got := strings.Join(b.next(3), " ")
			if !strings.Contains(got, "y") || !strings.Contains(got, "z") || !strings.Contains(got, "x") {
				t.Fatalf("round %d: of three the broker gives %s", round, got)
			}
			flood(20000+round*10, 10)
		}
	})
}

// TestManyPendingAtARestart measures how long it takes until the first is
// handed out, and that all are.
func TestManyPendingAtARestart(t *testing.T) {
	const n = 100_000
	b := newBench(t)
	c := &fsm.EvalUpsert{}
	for i := range n {
		c.Evals = append(c.Evals, eval(fmt.Sprintf("%08d", i), fmt.Sprint("ns", i%50), fmt.Sprint("j", i%(n/2)), i%100))
	}
	b.apply(c)
	start := time.Now()
	b.broker.fill(b.store.View())
	filled := time.Since(start)
	got := 0
	for batch := b.broker.TryNext(128); len(batch) > 0; batch = b.broker.TryNext(128) {
		got += len(batch)
	}
	t.Logf("100,000 pending evaluations of 50,000 jobs: queued in %s, handed out in %s", filled, time.Since(start)-filled)
	if got != n/2 || len(b.broker.cancels) != n/2 {
		t.Errorf("%d handed out, %d superseded", got, len(b.broker.cancels))
	}
	if filled > 10*time.Second {
		t.Errorf("it took %s to queue them", filled)
	}
}

func TestRoomThatIsReturned(t *testing.T) {
	run(t, func(b *bench) {
		time.Sleep(time.Minute)
		b.add(eval("a1", "default", "a", 50))
		b.broker.TryNext(1)
		x, _ := b.store.View().Evaluation("a1")
		y := *x
		y.Status, y.SnapshotIndex, y.ClassEligibility = api.EvalBlocked, b.index, map[string]bool{"c": false}
		b.add(&y)
		time.Sleep(time.Minute)
		synctest.Wait()
		b.want(b.next(1))
		b.broker.RoomReturned()
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(b.next(1), "a1")
		z := y
		z.SnapshotIndex = b.index
		b.add(&z)
		time.Sleep(time.Minute)
		synctest.Wait()
		b.want(b.next(1)) // once
	})
}
