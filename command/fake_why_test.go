package command

import (
	"net/http"

	"github.com/seraihq/serai/api"
)

func fakeFunnel() *api.PlacementFunnel {
	near := &api.NearestNode{NodeID: fakeNode, NodeName: "one", Short: []*api.Shortfall{{Dimension: "memory", Unit: "MB", Has: 8192, Free: 500, Asked: 700, Missing: 200}}}
	return &api.PlacementFunnel{Nodes: 9, Nearest: near, Steps: []*api.FunnelStep{
		{Stage: api.StagePool, Reason: "default", Left: 9},
		{Stage: api.StageDatacenter, Reason: "dc1, dc2", Removed: 2, Left: 7},
		{Stage: api.StageReady, Reason: "ready and eligible", Removed: 3, Left: 4, Detail: map[string]int{"down": 1, "draining": 2}},
		{Stage: api.StageDemand, Reason: "${attr.kernel.name} = linux", Removed: 1, Left: 3},
		{Stage: api.StageDistinct, Reason: "distinct_hosts", Removed: 1, Left: 2},
		{Stage: api.StageResources, Reason: "memory", Removed: 2, Nearest: near},
	}}
}

func fakeJobWhy() *api.JobWhy {
	return &api.JobWhy{
		ID: "web", Namespace: "default", Summary: "1 of 2 allocations finds no node: 2 nodes meet its demands and have no room.", Notes: []string{"1 of 2 run."}, Runs: 21,
		Groups: []*api.GroupWhy{{
			Name: "front", Wanted: 2, Running: 1, Unplaced: 1, Funnel: fakeFunnel(),
			Placed: []*api.PlacementMade{{ID: fakeAlloc, Name: "web.front[0]", NodeID: fakeNode, NodeName: "one", DesiredStatus: "run", ClientStatus: "running", Score: 0.5, Considered: 3, Filtered: 1}},
			Suggestions: []*api.PlacementSuggestion{
				{Kind: api.SuggestResources, Text: `ask for memory = 500 MB instead of 700 in task "server"`, Places: 1, Of: 1},
				{Kind: api.SuggestAddNode, Text: "add 1 node like one", Places: 1, Of: 2},
			},
		}},
	}
}

func fakeAllocWhy() *api.AllocWhy {
	scores := []*api.NodeScoreMeta{
		{NodeID: fakeNode, NormScore: 0.5, Scores: map[string]float64{"binpack": 0.75, "job-anti-affinity": -0.5}},
		{NodeID: "11111111-aaaa-4bbb-8ccc-000000000002", NormScore: 0.25, Scores: map[string]float64{"binpack": 0.25}},
	}
	return &api.AllocWhy{
		ID: fakeAlloc, Name: "web.front[0]", NodeID: fakeNode, NodeName: "one", DesiredStatus: "run", ClientStatus: "running",
		Summary: `It runs on node "one".`, Notes: []string{"It would be placed there again."},
		Recorded: &api.AllocationMetric{ScoreMetaData: scores}, Now: &api.PlacementFunnel{Nodes: 3, Candidates: 3},
		Scores: scores, NodeNames: map[string]string{fakeNode: "one"},
	}
}

func fakeWhyAnswers() map[string]func(*http.Request) any {
	return map[string]func(*http.Request) any{
		"GET /v1/job/{id}/why":        func(*http.Request) any { return fakeJobWhy() },
		"GET /v1/allocation/{id}/why": func(*http.Request) any { return fakeAllocWhy() },
		"PUT /v1/jobs/plan": func(*http.Request) any {
			second := &api.JobsPlanEntry{ID: "web", Namespace: "default"}
			return api.JobsPlanResponse{
				Plans:  []*api.JobsPlanEntry{{ID: "web", Namespace: "default", JobPlanResponse: *fakePlan()}, second},
				Totals: api.JobsPlanTotals{Jobs: 2, Place: 1, InPlace: 2, Unplaced: 5},
			}
		},
	}
}
