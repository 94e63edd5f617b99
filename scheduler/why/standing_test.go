package why_test

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/sim"
	"github.com/seraihq/serai/scheduler/why"
)

// stored is a world with evaluations and deployments.
type stored struct {
	*sim.World
	evals       []*api.Evaluation
	deployments []*api.Deployment
}

func (s stored) EvaluationsByJob(string, string) iter.Seq[*api.Evaluation] {
	return slices.Values(s.evals)
}
func (s stored) DeploymentsByJob(string, string) iter.Seq[*api.Deployment] {
	return slices.Values(s.deployments)
}

// TestStanding: the first line is the answer.
func TestStanding(t *testing.T) {
	deployment := func(status string, change func(*api.DeploymentState)) []*api.Deployment {
		s := &api.DeploymentState{DesiredTotal: 2, PlacedAllocs: 2, HealthyAllocs: 1}
		if change != nil {
			change(s)
		}
		return []*api.Deployment{{ID: "d1234567-x", JobID: "web", Status: status, StatusDescription: "Deadline passed", TaskGroups: map[string]*api.DeploymentState{"g": s}}}
	}
	each := func(change func(*api.Allocation)) func(*stored, *testing.T) {
		return func(s *stored, t *testing.T) {
			a := *find(t, s.World, "web.g[0]")
			change(&a)
			s.PutAllocation(&a)
		}
	}
	for name, c := range map[string]struct {
		set  func(*stored, *testing.T)
		want string
	}{
		"running":   {func(*stored, *testing.T) {}, "It runs as asked: 2 allocations."},
		"paused":    {func(s *stored, _ *testing.T) { s.deployments = deployment("paused", nil) }, "deployment d1234567 is paused"},
		"failed":    {func(s *stored, _ *testing.T) { s.deployments = deployment("failed", nil) }, "has failed: deadline passed"},
		"unhealthy": {func(s *stored, _ *testing.T) { s.deployments = deployment("running", nil) }, "goes on: 1 of 2 are healthy"},
		"slow": {func(s *stored, _ *testing.T) {
			s.deployments = deployment("running", func(x *api.DeploymentState) { x.PlacedAllocs = 1 })
		}, "max_parallel allows: 1 of 2 are placed"},
		"canary": {func(s *stored, _ *testing.T) {
			s.deployments = deployment("running", func(x *api.DeploymentState) { x.DesiredCanaries, x.PlacedCanaries = 1, []string{"a"} })
		}, "waits to be promoted"},
		"canary by itself": {func(s *stored, _ *testing.T) {
			s.deployments = deployment("running", func(x *api.DeploymentState) {
				x.DesiredCanaries, x.PlacedCanaries, x.AutoPromote = 1, []string{"a"}, true
			})
		}, "waits for its canaries"},
		"unknown":  {each(func(a *api.Allocation) { a.ClientStatus = api.AllocClientUnknown }), "out of reach"},
		"starting": {each(func(a *api.Allocation) { a.ClientStatus = api.AllocClientPending }), "1 allocation is placed and not running yet."},
		"later": {func(s *stored, t *testing.T) {
			each(func(a *api.Allocation) { a.ClientStatus, a.FollowupEvalID = api.AllocClientFailed, "e1" })(s, t)
			s.evals = []*api.Evaluation{{ID: "e1", Status: api.EvalPending, WaitUntil: noon.Add(time.Hour)}}
		}, "placed anew at 2026-03-01T13:00:00Z"},
		"wanted": {func(s *stored, _ *testing.T) {
			j, _ := s.Job("default", "web")
			c := api.Clone(j)
			c.TaskGroups[0].Count = 3
			s.PutJob(c)
		}, "1 allocation finds a node, and no evaluation asks for it: run `serai job eval web`."},
		"panicked": {func(s *stored, t *testing.T) {
			j, _ := s.Job("default", "web")
			c := api.Clone(j)
			c.TaskGroups[0].Count = 3
			s.PutJob(c)
			s.evals = []*api.Evaluation{
				{ID: "e1", Status: api.EvalFailed, StatusDescription: "the scheduler panicked: boom"},
				{ID: "e2", Status: api.EvalPending, TriggeredBy: api.TriggerFailedFollowUp, WaitUntil: noon.Add(time.Minute)},
			}
		}, "an evaluation failed (the scheduler panicked: boom); the next attempt is at 2026-03-01T12:01:00Z"},
		"pending": {func(s *stored, t *testing.T) {
			j, _ := s.Job("default", "web")
			c := api.Clone(j)
			c.TaskGroups[0].Count = 3
			s.PutJob(c)
			s.evals = []*api.Evaluation{{ID: "e1", Status: api.EvalPending}}
		}, "1 allocation finds a node and will be placed now."},
		"scheduler paused": {func(s *stored, t *testing.T) {
			j, _ := s.Job("default", "web")
			c := api.Clone(j)
			c.TaskGroups[0].Count = 3
			s.PutJob(c)
			s.Configure(&api.SchedulerConfiguration{PauseEvalBroker: true})
		}, "paused by its configuration"},
		"periodic": {func(s *stored, _ *testing.T) {
			j, _ := s.Job("default", "web")
			c := api.Clone(j)
			c.Periodic = &api.PeriodicConfig{Enabled: true}
			s.PutJob(c)
		}, "starts children by the clock."},
		"no nodes": {func(s *stored, t *testing.T) {
			c := makeJob("web", parseSpec([]string{"pool=none", "count=2"}))
			c.CreateIndex = 7 // another job of that name
			s.PutJob(c)
		}, `no node is in node pool "none"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stored{World: newWorld()}
			s.PutNode(makeNode("n1", spec{}))
			run(t, s.World, makeJob("web", spec{"count": "2"}))
			c.set(s, t)
			j, _ := s.Job("default", "web")
			in := input(s.World)
			in.State = s
			got, err := why.Job(in, j)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got.Summary, c.want) {
				t.Errorf("%q, want %q in it (also %q)", got.Summary, c.want, got.Notes)
			}
		})
	}
}
