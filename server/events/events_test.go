package events

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

type bench struct {
	t      *testing.T
	buffer *Buffer
	fsm    *fsm.FSM
	index  uint64
}

func run(t *testing.T, size int, test func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		store := state.New()
		b := &bench{t: t, buffer: New(store, size), fsm: fsm.New(store), index: 10}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.buffer.Run(ctx) }()
		synctest.Wait()
		test(b)
		cancel()
		<-done
	})
}

func (b *bench) apply(c fsm.Command) {
	b.t.Helper()
	entry, err := fsm.Encode(c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.index++
	if _, err := b.fsm.Apply(b.index, entry); err != nil {
		b.t.Fatal(err)
	}
	synctest.Wait()
}

func (b *bench) eval(id, namespace, job string) {
	b.apply(&fsm.EvalUpsert{Evals: []*api.Evaluation{{ID: id, Namespace: namespace, JobID: job, Status: api.EvalPending}}})
}

func keys(t *testing.T, s *Stream, n int) []string {
	t.Helper()
	var out []string
	for range n {
		e, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range e.Events {
			out = append(out, fmt.Sprintf("%s/%s@%d", x.Topic, x.Key, x.Index))
		}
	}
	return out
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func all(namespace string) Filter {
	return Filter{Topics: map[string][]string{"*": {"*"}}, Namespace: namespace}
}

func TestTopicsKeysNamespaces(t *testing.T) {
	run(t, 64, func(b *bench) {
		t := b.t
		every := b.buffer.Subscribe(0, all("*"))
		ofJob := b.buffer.Subscribe(0, Filter{Topics: map[string][]string{api.TopicEvaluation: {"web"}}, Namespace: "default"})
		ofNode := b.buffer.Subscribe(0, Filter{Topics: map[string][]string{api.TopicNode: {"*"}}, Namespace: "default"})
		b.apply(&fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: "team"}}})
		b.eval("e1", "default", "web")
		b.eval("e2", "team", "web")
		b.eval("e3", "default", "db")
		b.eval("e4", "default", "web")
		b.apply(&fsm.NodeRegister{Node: &api.Node{ID: "n1", Status: api.NodeStatusReady}})
		want(t, keys(t, every, 5), "Evaluation/e1@12", "Evaluation/e2@13", "Evaluation/e3@14", "Evaluation/e4@15", "Node/n1@16")
		want(t, keys(t, ofJob, 2), "Evaluation/e1@12", "Evaluation/e4@15")
		want(t, keys(t, ofNode, 1), "Node/n1@16")
	})
}

func TestResumesAtAnIndex(t *testing.T) {
	run(t, 64, func(b *bench) {
		t := b.t
		for i := range 5 {
			b.eval(fmt.Sprint("e", i), "default", "web")
		}
		want(t, keys(t, b.buffer.Subscribe(14, all("*")), 2), "Evaluation/e3@14", "Evaluation/e4@15")
	})
}

func TestSlowReaderIsToldOfTheGap(t *testing.T) {
	run(t, 4, func(b *bench) {
		t := b.t
		s := b.buffer.Subscribe(0, all("*"))
		for i := range 10 {
			b.eval(fmt.Sprint("e", i), "default", "web")
		}
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrGap) {
			t.Errorf("got %v, want ErrGap", err)
		}
		// One who subscribes anew starts with what is left.
		want(t, keys(t, b.buffer.Subscribe(0, all("*")), 1), "Evaluation/e6@17")
	})
}

func TestWaitsAndEnds(t *testing.T) {
	run(t, 4, func(b *bench) {
		t := b.t
		s := b.buffer.Subscribe(0, all("*"))
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			_, err := s.Next(ctx)
			got <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAllocationEventsCarryNoJob(t *testing.T) {
	a := &api.Allocation{ID: "a", Job: &api.Job{ID: "web"}, JobID: "web"}
	e := allocationEvent(nil, a)
	if got := e.Payload["Allocation"].(*api.Allocation); got.Job != nil || a.Job == nil || e.Type != "PlanResult" {
		t.Errorf("event: %+v", e)
	}
}

// TestHeldChangesAreBounded: large commits push older ones out before the ring is full.
func TestHeldChangesAreBounded(t *testing.T) {
	b := New(nil, 100)
	large := make([]state.Change, maxChanges/4)
	for i := range 10 {
		b.add(state.Commit{Index: uint64(i), Changes: large})
	}
	if n := b.next - b.first; n != 4 || b.held != maxChanges {
		t.Errorf("%d commits with %d changes are held", n, b.held)
	}
	b.add(state.Commit{Index: 10, Changes: make([]state.Change, 2*maxChanges)})
	if n := b.next - b.first; n != 1 || b.held != 2*maxChanges {
		t.Errorf("%d commits with %d changes are held", n, b.held)
	}
	for i := range 200 {
		b.add(state.Commit{Index: uint64(11 + i), Changes: large[:1]})
	}
	if n := b.next - b.first; n != 100 || b.held != 100 {
		t.Errorf("%d commits with %d changes are held", n, b.held)
	}
}

// What happens to a deployment has a name of its own.
func TestDeploymentEvents(t *testing.T) {
	run(t, 64, func(b *bench) {
		s := b.buffer.Subscribe(0, Filter{Topics: map[string][]string{api.TopicDeployment: {"*"}}, Namespace: "default"})
		d := api.Deployment{ID: "d", Namespace: "default", JobID: "j", Status: api.DeploymentRunning, TaskGroups: map[string]*api.DeploymentState{"g": {DesiredTotal: 3, DesiredCanaries: 1}}}
		put := func(change func(g *api.DeploymentState)) {
			c, g := d, *d.TaskGroups["g"]
			change(&g)
			c.TaskGroups = map[string]*api.DeploymentState{"g": &g}
			b.apply(&fsm.DeploymentUpsert{Deployments: []*api.Deployment{&c}})
			d = c
		}
		put(func(*api.DeploymentState) {})
		put(func(g *api.DeploymentState) { g.Promoted = true })
		put(func(g *api.DeploymentState) { g.DesiredTotal = 4 })
		b.apply(&fsm.DeploymentPause{ID: "d", Pause: true})
		var got []string
		for range 4 {
			e, err := s.Next(b.t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range e.Events {
				got = append(got, x.Type)
			}
		}
		want(t, got, "DeploymentStatusUpdate", "DeploymentPromotion", "DeploymentStatusUpdate", "DeploymentStatusUpdate")
	})
	one, two := &api.DeploymentState{}, &api.DeploymentState{HealthyAllocs: 1}
	if got := deploymentChange(&api.Deployment{TaskGroups: map[string]*api.DeploymentState{"g": one}}, &api.Deployment{TaskGroups: map[string]*api.DeploymentState{"g": two}}); got != "DeploymentAllocHealth" {
		t.Errorf("a healthy allocation gives %s", got)
	}
}
