package rest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"
)

func ptr[T any](v T) *T { return &v }

// nomadClient is the Go client that Nomad publishes.
func nomadClient(t *testing.T, c *cluster) *nomad.Client {
	t.Helper()
	client, err := nomad.NewClient(&nomad.Config{Address: c.http.URL})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func nomadJob(id string, count int) *nomad.Job {
	task := nomad.NewTask("t", "mock_driver").SetConfig("run_for", "1h").
		Require(&nomad.Resources{CPU: ptr(10), MemoryMB: ptr(10)}).SetLogConfig(&nomad.LogConfig{MaxFiles: ptr(1), MaxFileSizeMB: ptr(1)})
	group := nomad.NewTaskGroup("g", count).AddTask(task)
	group.EphemeralDisk = &nomad.EphemeralDisk{SizeMB: ptr(20)}
	return nomad.NewServiceJob(id, id, "global", 50).AddDatacenter("dc1").AddTaskGroup(group)
}

func must[T any](t *testing.T) func(v T, _ any, err error) T {
	return func(v T, _ any, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// await calls look until it is true, each time after the index has moved.
func await(t *testing.T, look func(q *nomad.QueryOptions) (bool, *nomad.QueryMeta, error)) {
	t.Helper()
	q := &nomad.QueryOptions{WaitTime: time.Second}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		done, meta, err := look(q)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
		q.WaitIndex = meta.LastIndex
	}
	t.Fatal("not so after 10 s")
}

func TestNomadClientJobs(t *testing.T) {
	c := start(t)
	c.node(running)
	n := nomadClient(t, c)
	reg, meta, err := n.Jobs().Register(nomadJob("web", 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	if reg.EvalID == "" || meta.LastIndex == 0 || reg.JobModifyIndex == 0 {
		t.Errorf("register: %+v %+v", reg, meta)
	}
	await(t, func(q *nomad.QueryOptions) (bool, *nomad.QueryMeta, error) {
		s, m, err := n.Jobs().Summary("web", q)
		return err == nil && s.Summary["g"].Running == 2, m, err
	})
	job := must[*nomad.Job](t)(n.Jobs().Info("web", nil))
	if *job.Status != "running" || *job.TaskGroups[0].Count != 2 || job.TaskGroups[0].Tasks[0].Config["run_for"] != "1h" {
		t.Errorf("job: status %q", *job.Status)
	}
	list := must[[]*nomad.JobListStub](t)(n.Jobs().List(nil))
	if len(list) != 1 || list[0].JobSummary == nil || list[0].Type != "service" {
		t.Errorf("list: %+v", list)
	}
	if versions, _, _, err := n.Jobs().Versions("web", true, nil); err != nil || len(versions) != 1 {
		t.Errorf("versions: %v %v", versions, err)
	}
	plan := must[*nomad.JobPlanResponse](t)(n.Jobs().Plan(nomadJob("web", 5), true, nil))
	if plan.Annotations.DesiredTGUpdates["g"].Place != 3 || plan.Diff.Type != "Edited" {
		t.Errorf("plan: %+v %+v", plan.Annotations.DesiredTGUpdates["g"], plan.Diff)
	}
	if _, _, err := n.Jobs().EnforceRegister(nomadJob("web", 5), 1, nil); err == nil || !strings.Contains(err.Error(), nomad.RegisterEnforceIndexErrPrefix) {
		t.Errorf("enforced register: %v", err)
	}
	if valid, _, err := n.Jobs().Validate(nomadJob("", 1), nil); err != nil || valid.Error == "" {
		t.Errorf("validate: %+v %v", valid, err)
	}
	must[*nomad.JobRegisterResponse](t)(n.Jobs().Scale("web", "g", ptr(3), "because", false, map[string]any{"by": "test"}, nil))
	status := must[*nomad.JobScaleStatusResponse](t)(n.Jobs().ScaleStatus("web", nil))
	if g := status.TaskGroups["g"]; g.Desired != 3 || g.Events[0].Message != "because" || g.Events[0].Meta["by"] != "test" {
		t.Errorf("scale status: %+v", g)
	}
	if dep, _, err := n.Jobs().LatestDeployment("web", nil); err != nil || dep == nil || dep.Status != "running" || dep.TaskGroups["g"] == nil {
		t.Errorf("deployment: %+v %v", dep, err)
	}
	if all, _, err := n.Jobs().Deployments("web", true, nil); err != nil || len(all) == 0 {
		t.Errorf("deployments: %v %v", all, err)
	}
	if _, _, err := n.Jobs().Deregister("web", true, nil); err != nil {
		t.Error(err)
	}
	if _, _, err := n.Jobs().Info("web", nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("info of a purged job: %v", err)
	}
}

func TestNomadClientObjects(t *testing.T) {
	c := start(t)
	node := c.node(running)
	n := nomadClient(t, c)
	reg := must[*nomad.JobRegisterResponse](t)(n.Jobs().Register(nomadJob("web", 2), nil))
	await(t, func(q *nomad.QueryOptions) (bool, *nomad.QueryMeta, error) {
		s, m, err := n.Jobs().Summary("web", q)
		return err == nil && s.Summary["g"].Running == 2, m, err
	})
	allocs := must[[]*nomad.AllocationListStub](t)(n.Allocations().List(nil))
	if len(allocs) != 2 || allocs[0].NodeID != node.ID {
		t.Fatalf("allocations: %+v", allocs)
	}
	alloc := must[*nomad.Allocation](t)(n.Allocations().Info(allocs[0].ID, nil))
	if alloc.Job == nil || *alloc.Job.ID != "web" || alloc.AllocatedResources.Tasks["t"].Cpu.CpuShares != 10 || len(alloc.Metrics.ScoreMetaData) == 0 {
		t.Errorf("allocation: %+v", alloc)
	}
	if _, _, err := n.Allocations().Info("nope", nil); err == nil || !strings.Contains(err.Error(), "UUID must be 36 characters") {
		t.Errorf("allocation by a bad ID: %v", err)
	}
	eval := must[*nomad.Evaluation](t)(n.Evaluations().Info(reg.EvalID, nil))
	if eval.Status != "complete" || eval.JobID != "web" {
		t.Errorf("evaluation: %+v", eval)
	}
	if of, _, err := n.Evaluations().Allocations(reg.EvalID, nil); err != nil || len(of) != 2 {
		t.Errorf("allocations of the evaluation: %v %v", of, err)
	}
	info := must[*nomad.Node](t)(n.Nodes().Info(node.ID, nil))
	if info.Status != "ready" || info.NodeResources.Cpu.CpuShares != 100000 || !info.Drivers["mock_driver"].Healthy {
		t.Errorf("node: %+v", info)
	}
	if on, _, err := n.Nodes().Allocations(node.ID, nil); err != nil || len(on) != 2 || on[0].Job == nil {
		t.Errorf("allocations of the node: %v %v", on, err)
	}
	if _, err := n.Nodes().ToggleEligibility(node.ID, false, nil); err != nil {
		t.Error(err)
	}
	nodes := must[[]*nomad.NodeListStub](t)(n.Nodes().List(nil))
	if nodes[0].SchedulingEligibility != "ineligible" {
		t.Errorf("node list: %+v", nodes[0])
	}
	if _, err := n.Nodes().ToggleEligibility(node.ID, true, nil); err != nil {
		t.Error(err)
	}
	found := must[*nomad.SearchResponse](t)(toAny(n.Search().PrefixSearch(allocs[0].ID[:6], "all", nil)))
	if len(found.Matches["allocs"]) != 1 {
		t.Errorf("prefix search: %+v", found.Matches)
	}
	fuzzy := must[*nomad.FuzzySearchResponse](t)(toAny(n.Search().FuzzySearch("web", "all", nil)))
	if len(fuzzy.Matches["jobs"]) != 1 || fuzzy.Matches["jobs"][0].Scope[1] != "web" {
		t.Errorf("fuzzy search: %+v", fuzzy.Matches)
	}
	stop := must[*nomad.AllocStopResponse](t)(tuple(n.Allocations().Stop(alloc, nil)))
	if stop.EvalID == "" {
		t.Errorf("stop: %+v", stop)
	}
	await(t, func(q *nomad.QueryOptions) (bool, *nomad.QueryMeta, error) {
		a, m, err := n.Allocations().Info(alloc.ID, q)
		return err == nil && a.DesiredStatus == "stop" && a.NextAllocation != "", m, err
	})
}

func toAny[T any](v T, m *nomad.QueryMeta, err error) (T, any, error) { return v, m, err }
func tuple[T any](v T, err error) (T, any, error)                     { return v, nil, err }

func TestNomadClientCluster(t *testing.T) {
	c := start(t)
	c.node(running)
	n := nomadClient(t, c)
	if leader, err := n.Status().Leader(); err != nil || leader != "127.0.0.1:4647" {
		t.Errorf("leader: %q %v", leader, err)
	}
	if peers, err := n.Status().Peers(); err != nil || len(peers) != 1 {
		t.Errorf("peers: %v %v", peers, err)
	}
	if regions, err := n.Regions().List(); err != nil || len(regions) != 1 || regions[0] != "global" {
		t.Errorf("regions: %v %v", regions, err)
	}
	if members, err := n.Agent().Members(); err != nil || len(members.Members) != 1 || members.Members[0].Status != "alive" {
		t.Errorf("members: %v %v", members, err)
	}
	if _, err := n.Namespaces().Register(&nomad.Namespace{Name: "team", Description: "d", Capabilities: &nomad.NamespaceCapabilities{EnabledTaskDrivers: []string{"raw_exec"}}}, nil); err != nil {
		t.Fatal(err)
	}
	if ns := must[*nomad.Namespace](t)(n.Namespaces().Info("team", nil)); ns.Description != "d" {
		t.Errorf("namespace: %+v", ns)
	}
	job := nomadJob("web", 1)
	job.Namespace = ptr("team")
	if _, _, err := n.Jobs().Register(job, nil); err == nil || !strings.Contains(err.Error(), "not allowed in namespace") {
		t.Errorf("a driver that is not allowed: %v", err)
	}
	job.TaskGroups[0].Tasks[0].Driver = "raw_exec"
	job.TaskGroups[0].Tasks[0].Config = map[string]any{"command": "/bin/true"}
	if _, _, err := n.Jobs().Register(job, nil); err != nil {
		t.Error(err)
	}
	if _, err := n.Namespaces().Delete("team", nil); err == nil {
		t.Error("a namespace with a job was deleted")
	}
	if _, err := n.Namespaces().Delete("default", nil); err == nil {
		t.Error("the default namespace was deleted")
	}
	if list, _, err := n.Jobs().List(&nomad.QueryOptions{Namespace: "*"}); err != nil || len(list) != 1 {
		t.Errorf("jobs of all namespaces: %v %v", list, err)
	}
	if _, err := n.NodePools().Register(&nomad.NodePool{Name: "gpu", Description: "fast"}, nil); err != nil {
		t.Error(err)
	}
	if pools, _, err := n.NodePools().List(nil); err != nil || len(pools) != 3 {
		t.Errorf("node pools: %v %v", pools, err)
	}
	config := must[*nomad.SchedulerConfigurationResponse](t)(toAny(n.Operator().SchedulerGetConfiguration(nil)))
	config.SchedulerConfig.SchedulerAlgorithm = "spread"
	if set, _, err := n.Operator().SchedulerCASConfiguration(config.SchedulerConfig, nil); err != nil || !set.Updated {
		t.Errorf("scheduler configuration: %+v %v", set, err)
	}
	config.SchedulerConfig.ModifyIndex = 1 << 40
	if set, _, err := n.Operator().SchedulerCASConfiguration(config.SchedulerConfig, nil); err != nil || set.Updated {
		t.Errorf("scheduler configuration with a wrong index: %+v %v", set, err)
	}
	if raft, err := n.Operator().RaftGetConfiguration(nil); err != nil || len(raft.Servers) != 1 || !raft.Servers[0].Leader {
		t.Errorf("raft: %+v %v", raft, err)
	}
	if policies, _, err := n.Scaling().ListPolicies(nil); err != nil || len(policies) != 0 {
		t.Errorf("scaling policies: %v %v", policies, err)
	}
	if err := n.System().GarbageCollect(); err != nil {
		t.Error(err)
	}
	if err := n.System().ReconcileSummaries(); err != nil {
		t.Error(err)
	}
	if _, err := n.Agent().Health(); err != nil {
		t.Error(err)
	}
}

func TestNomadClientEventStream(t *testing.T) {
	c := start(t)
	c.node(running)
	n := nomadClient(t, c)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := n.EventStream().Stream(ctx, map[nomad.Topic][]string{nomad.TopicJob: {"web"}, nomad.TopicAllocation: {"*"}, nomad.TopicEvaluation: {"web"}}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.Jobs().Register(nomadJob("web", 1), nil); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for events := range stream {
		if events.Err != nil {
			t.Fatal(events.Err)
		}
		for _, e := range events.Events {
			seen[e.Type] = true
			switch e.Topic {
			case nomad.TopicAllocation:
				a, err := e.Allocation()
				if err != nil || a.JobID != "web" || a.Job != nil {
					t.Fatalf("allocation event: %+v %v", a, err)
				}
				if a.ClientStatus == "running" {
					for _, want := range []string{"JobRegistered", "EvaluationUpdated", "PlanResult", "AllocationUpdated"} {
						if !seen[want] {
							t.Errorf("no %s before the allocation ran: %v", want, seen)
						}
					}
					return
				}
			case nomad.TopicJob:
				if j, err := e.Job(); err != nil || *j.ID != "web" {
					t.Fatalf("job event: %+v %v", j, err)
				}
			}
		}
	}
	t.Fatal("the stream ended")
}
