package deploy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

var epoch = time.Unix(1_700_000_000, 0).UTC()

// situation builds the input of one judgement.
type situation struct {
	d      *api.Deployment
	j      *api.Job
	allocs []*api.Allocation
	now    time.Time
}

func given() *situation {
	return &situation{
		d: &api.Deployment{
			ID: "d", JobID: "j", Namespace: "default", JobVersion: 3, JobCreateIndex: 7, Status: api.DeploymentRunning,
			TaskGroups: map[string]*api.DeploymentState{},
		},
		j:   &api.Job{ID: "j", Namespace: "default", Version: 3, CreateIndex: 7, SubmitTime: epoch.UnixNano()},
		now: epoch,
	}
}

// group adds a group with the numbers that its allocations come to.
func (s *situation) group(name string, g api.DeploymentState) *situation {
	if g.ProgressDeadline == 0 {
		g.ProgressDeadline = api.Duration(10 * time.Minute)
	} else if g.ProgressDeadline < 0 {
		g.ProgressDeadline = 0
	}
	if g.RequireProgressBy.IsZero() {
		g.RequireProgressBy = epoch.Add(10 * time.Minute)
	}
	s.d.TaskGroups[name] = &g
	return s
}

func (s *situation) allocation(group string, n int, change func(a *api.Allocation)) *situation {
	for range n {
		a := &api.Allocation{
			ID: fmt.Sprint(group, len(s.allocs)), TaskGroup: group, DeploymentID: "d",
			DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientRunning,
		}
		if change != nil {
			change(a)
		}
		s.allocs = append(s.allocs, a)
	}
	return s
}

func (s *situation) after(d time.Duration) *situation { s.now = s.now.Add(d); return s }

func (s *situation) with(change func(s *situation)) *situation { change(s); return s }

func canary(healthy bool) func(*api.Allocation) {
	return func(a *api.Allocation) {
		a.DeploymentStatus = &api.AllocDeploymentStatus{Canary: true}
		if healthy {
			a.DeploymentStatus.Healthy = &healthy
		}
	}
}

// numbers fills in what the row says of the allocations beside health.
func (s *situation) numbers() {
	for _, a := range s.allocs {
		g := s.d.TaskGroups[a.TaskGroup]
		if a.Terminal() {
			continue
		}
		g.LiveAllocs++
		if h := a.DeploymentStatus; h != nil && h.Canary && h.IsHealthy() {
			g.HealthyCanaries++
		}
	}
}

func failed(a *api.Allocation) { a.ClientStatus = api.AllocClientFailed }

func TestJudge(t *testing.T) {
	deadline := epoch.Add(10 * time.Minute)
	for name, c := range map[string]struct {
		s    *situation
		want string
	}{
		"nothing is placed": {given().group("a", api.DeploymentState{DesiredTotal: 3}).with(func(s *situation) {
			s.d.TaskGroups["a"].RequireProgressBy = time.Time{}
		}).after(24 * time.Hour), "open"},
		"one of three is placed":    {given().group("a", api.DeploymentState{DesiredTotal: 3, PlacedAllocs: 1}).allocation("a", 1, nil), "open, again +10m0s"},
		"all are placed":            {given().group("a", api.DeploymentState{DesiredTotal: 3, PlacedAllocs: 3}).allocation("a", 3, nil), "again +10m0s"},
		"all are healthy":           {given().group("a", api.DeploymentState{DesiredTotal: 3, HealthyAllocs: 3}).allocation("a", 3, nil), "successful: " + api.DeploymentDescSuccessful},
		"nothing is wanted":         {given().group("a", api.DeploymentState{}), "successful: " + api.DeploymentDescSuccessful},
		"one group is not there":    {given().group("a", api.DeploymentState{DesiredTotal: 1, HealthyAllocs: 1}).allocation("a", 1, nil).group("b", api.DeploymentState{DesiredTotal: 1}).allocation("b", 1, nil), "again +10m0s"},
		"the other's deadline ends": {given().group("a", api.DeploymentState{DesiredTotal: 1, HealthyAllocs: 1, AutoRevert: true}).allocation("a", 1, nil).group("b", api.DeploymentState{DesiredTotal: 1}).allocation("b", 1, nil).after(10 * time.Minute), "failed: " + api.DeploymentDescDeadline},
		"late":                      {given().group("a", api.DeploymentState{DesiredTotal: 3, HealthyAllocs: 2, AutoRevert: true}).allocation("a", 3, nil).after(10 * time.Minute), "failed, revert: " + api.DeploymentDescDeadline},
		"nearly late":               {given().group("a", api.DeploymentState{DesiredTotal: 3, HealthyAllocs: 2, AutoRevert: true}).allocation("a", 3, nil).after(10*time.Minute - 1), "again +10m0s"},
		"all healthy and late":      {given().group("a", api.DeploymentState{DesiredTotal: 3, HealthyAllocs: 3}).after(time.Hour), "successful: " + api.DeploymentDescSuccessful},
		"one unhealthy":             {given().group("a", api.DeploymentState{DesiredTotal: 3, UnhealthyAllocs: 1}).allocation("a", 3, nil), "again +10m0s"},
		"one unhealthy, no deadline": {given().group("a", api.DeploymentState{DesiredTotal: 3, UnhealthyAllocs: 1, ProgressDeadline: -1, AutoRevert: true}).
			allocation("a", 3, nil), "failed, revert: " + api.DeploymentDescUnhealthy},
		"no deadline and long ago": {given().group("a", api.DeploymentState{DesiredTotal: 3, ProgressDeadline: -1}).allocation("a", 3, nil).after(time.Hour), ""},

		"a failed one":              {given().group("a", api.DeploymentState{DesiredTotal: 2}).allocation("a", 1, nil).allocation("a", 1, failed), "reschedule a1, open, again +10m0s"},
		"a failed one, too late":    {given().group("a", api.DeploymentState{DesiredTotal: 2}).allocation("a", 1, failed).after(time.Hour), "failed: " + api.DeploymentDescDeadline},
		"a failed one was replaced": {given().group("a", api.DeploymentState{DesiredTotal: 1}).allocation("a", 1, nil).allocation("a", 1, func(a *api.Allocation) { failed(a); a.NextAllocation = "x" }), "again +10m0s"},
		"a failed one is to move": {given().group("a", api.DeploymentState{DesiredTotal: 1}).allocation("a", 1, func(a *api.Allocation) {
			yes := true
			failed(a)
			a.DesiredTransition.Reschedule = &yes
		}), "open, again +10m0s"},
		"a failed one is stopped": {given().group("a", api.DeploymentState{DesiredTotal: 1}).allocation("a", 1, func(a *api.Allocation) { failed(a); a.DesiredStatus = api.AllocDesiredStop }), "open, again +10m0s"},

		"canaries are missing":     {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2}).allocation("a", 1, canary(true)), "open, again +10m0s"},
		"canaries get ready":       {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2}).allocation("a", 1, canary(true)).allocation("a", 1, canary(false)), "again +10m0s"},
		"canaries are late":        {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2}).allocation("a", 2, canary(false)).after(time.Hour), "failed: " + api.DeploymentDescDeadline},
		"canaries wait for a word": {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2, HealthyAllocs: 2}).allocation("a", 2, canary(true)).after(24 * time.Hour), ""},
		"blue and green":           {given().group("a", api.DeploymentState{DesiredTotal: 2, DesiredCanaries: 2, HealthyAllocs: 2}).allocation("a", 2, canary(true)), ""},
		"canaries promote":         {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2, HealthyAllocs: 2, AutoPromote: true}).allocation("a", 2, canary(true)), "promote a"},
		"a dead canary":            {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 1, AutoPromote: true}).allocation("a", 1, func(a *api.Allocation) { canary(true)(a); failed(a) }), "reschedule a0, open, again +10m0s"},
		"two groups promote at once": {given().group("a", api.DeploymentState{DesiredTotal: 1, DesiredCanaries: 1, AutoPromote: true}).allocation("a", 1, canary(true)).
			group("b", api.DeploymentState{DesiredTotal: 1, DesiredCanaries: 1, AutoPromote: true}).allocation("b", 1, canary(false)), "again +10m0s"},
		"both are ready": {given().group("a", api.DeploymentState{DesiredTotal: 1, DesiredCanaries: 1, AutoPromote: true}).allocation("a", 1, canary(true)).
			group("b", api.DeploymentState{DesiredTotal: 1, DesiredCanaries: 1, AutoPromote: true}).allocation("b", 1, canary(true)), "promote a b"},
		"one by itself, one by hand": {given().group("a", api.DeploymentState{DesiredTotal: 1, DesiredCanaries: 1, AutoPromote: true}).allocation("a", 1, canary(true)).
			group("b", api.DeploymentState{DesiredTotal: 1, DesiredCanaries: 1}).allocation("b", 1, canary(true)), "promote a"},
		"promoted":          {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2, HealthyAllocs: 2, Promoted: true}).allocation("a", 2, nil), "open, again +10m0s"},
		"promoted and late": {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2, HealthyAllocs: 4, Promoted: true}).allocation("a", 4, nil).after(time.Hour), "failed: " + api.DeploymentDescDeadline},
		"promoted and done": {given().group("a", api.DeploymentState{DesiredTotal: 5, DesiredCanaries: 2, HealthyAllocs: 5, Promoted: true}), "successful: " + api.DeploymentDescSuccessful},

		"paused":          {given().group("a", api.DeploymentState{DesiredTotal: 1, UnhealthyAllocs: 1}).with(func(s *situation) { s.d.Status = api.DeploymentPaused }).after(time.Hour), ""},
		"over":            {given().group("a", api.DeploymentState{DesiredTotal: 1}).with(func(s *situation) { s.d.Status = api.DeploymentFailed }).after(time.Hour), ""},
		"job is gone":     {given().with(func(s *situation) { s.j = nil }), "cancelled: " + api.DeploymentDescStopped},
		"job is another":  {given().with(func(s *situation) { s.j.CreateIndex = 99 }), "cancelled: " + api.DeploymentDescStopped},
		"superseded":      {given().group("a", api.DeploymentState{DesiredTotal: 1, HealthyAllocs: 1}).with(func(s *situation) { s.j.Version = 4 }), "again +1m0s"},
		"long superseded": {given().with(func(s *situation) { s.j.Version = 4 }).after(time.Minute), "cancelled: " + api.DeploymentDescNewerVersion},
		"paused and superseded": {given().with(func(s *situation) { s.j.Version, s.d.Status = 4, api.DeploymentPaused }).after(time.Minute),
			"cancelled: " + api.DeploymentDescNewerVersion},
		"long stopped": {given().with(func(s *situation) { s.j.Version, s.j.Stop = 4, true }).after(time.Minute), "cancelled: " + api.DeploymentDescStopped},
	} {
		t.Run(name, func(t *testing.T) {
			c.s.numbers()
			v := Judge(Input{Deployment: c.s.d, Job: c.s.j, Allocs: slices.Values(c.s.allocs), Now: c.s.now})
			if got := describe(v); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if !v.Again.IsZero() && v.Again.After(deadline) {
				t.Errorf("looks again at %s", v.Again)
			}
		})
	}
}

func describe(v Verdict) string {
	out := ""
	add := func(s string) {
		if out != "" {
			out += ", "
		}
		out += s
	}
	if v.Status != "" {
		if v.Revert {
			v.Status += ", revert"
		}
		return v.Status + ": " + v.Description
	}
	if len(v.Promote) > 0 {
		s := "promote"
		for _, g := range v.Promote {
			s += " " + g
		}
		add(s)
	}
	for _, id := range v.Reschedule {
		add("reschedule " + id)
	}
	if v.Open {
		add("open")
	}
	if !v.Again.IsZero() {
		add("again +" + v.Again.Sub(epoch).String())
	}
	return out
}
