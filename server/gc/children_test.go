package gc

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

func TestExcessKeepsTheNewestThatAreOver(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.write(func(tx *state.Tx) {
			id := fmt.Sprintf("p/dispatch-%d", i)
			j, _ := tx.RegisterJob(&api.Job{Namespace: "default", ID: id, Name: id, ParentID: "p", Type: api.JobTypeBatch, SubmitTime: start.UnixNano()}, nil)
			status := api.EvalComplete
			if i == 1 {
				status = api.EvalPending // goes on
			}
			tx.PutEvaluation(&api.Evaluation{ID: fmt.Sprint("e", i), Namespace: "default", JobID: id, Type: j.Type, Status: status, ModifyTime: start.UnixNano()})
		})
	}
	jobs := func(r *fsm.Reap) string {
		out := ""
		for _, j := range r.Jobs {
			out += j.ID[len("p/dispatch-"):]
		}
		return out
	}
	v, p := w.store.View(), []api.NamespacedID{{Namespace: "default", ID: "p"}}
	for most, want := range map[int]string{0: "", 1: "0234", 3: "02", 5: "", 9: ""} {
		r := Excess(v, Thresholds{MaxChildren: most}, p, start)
		if got := jobs(r); got != want || len(r.Evals) != len(want) {
			t.Errorf("at most %d: %s with %v goes, want %s", most, got, r.Evals, want)
		}
		if got := jobs(Find(v, Thresholds{MaxChildren: most, Job: time.Hour, Child: time.Hour, Eval: time.Hour, BatchEval: time.Hour}, start)); got != want {
			t.Errorf("a sweep with at most %d: %s goes, want %s", most, got, want)
		}
	}
	for age, want := range map[time.Duration]string{time.Minute: "02345", 2 * time.Minute: ""} {
		if got := jobs(Aged(v, Thresholds{Child: age}, start.Add(90*time.Second))); got != want {
			t.Errorf("older than %s: %s goes, want %s", age, got, want)
		}
	}
}

// log applies commands at once.
type log struct {
	mu    sync.Mutex
	fsm   *fsm.FSM
	index uint64
	count int
}

func (l *log) Apply(_ context.Context, c fsm.Command) (any, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	l.index++
	l.count++
	result, err := l.fsm.Apply(l.index, entry)
	return result, l.index, err
}

func (l *log) entries() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// TestManyChildrenAreNotKept: what a job dispatched and is over goes within
// seconds, in few entries; what goes on stays.
func TestManyChildrenAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := state.New()
		l := &log{fsm: fsm.New(store), index: 10}
		must := func(c fsm.Command) {
			if _, _, err := l.Apply(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		must(&fsm.JobRegister{Job: &api.Job{Namespace: "default", ID: "p", Name: "p", Type: api.JobTypeBatch, ParameterizedJob: &api.ParameterizedJobConfig{Payload: "optional"}}})
		parent, _ := store.View().Job("default", "p")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		c := New(store, l, Thresholds{Job: time.Hour, Child: time.Hour, BatchEval: time.Hour, MaxChildren: 100}, 24*time.Hour, slog.New(slog.DiscardHandler))
		go func() { done <- c.Run(ctx) }()
		for i := range 10_000 {
			id := fmt.Sprintf("e%05d", i)
			must(&fsm.JobDispatch{Namespace: "default", JobID: "p", JobModifyIndex: parent.JobModifyIndex, ChildID: fmt.Sprintf("p/dispatch-%05d", i), Time: time.Now().UnixNano(), EvalID: id})
			if i%10 != 0 {
				must(&fsm.EvalUpsert{Evals: []*api.Evaluation{{ID: id, Namespace: "default", JobID: fmt.Sprintf("p/dispatch-%05d", i), Type: "batch", Status: api.EvalComplete, ModifyTime: time.Now().UnixNano()}}})
			}
			if i%100 == 0 {
				synctest.Wait()
				time.Sleep(100 * time.Millisecond)
			}
		}
		before := l.entries()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := store.View().JobCount(); n != 1+1000+100 {
			t.Errorf("%d jobs are kept", n)
		}
		if n := l.entries() - before; n > 4 {
			t.Errorf("the last second took %d entries", n)
		}
		if _, ok := store.View().Job("default", "p/dispatch-09999"); !ok {
			t.Error("the newest is gone")
		}
		time.Sleep(time.Hour + 2*time.Minute)
		synctest.Wait()
		if n := store.View().JobCount(); n != 1+1000 {
			t.Errorf("an hour later %d jobs are kept", n)
		}
		cancel()
		<-done
	})
}
