package command

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// fakeAgent answers the HTTP API from a few fixed objects, so that what the
// commands print can be compared to the letter.
type fakeAgent struct {
	url string
}

const (
	fakeNode  = "11111111-aaaa-4bbb-8ccc-000000000001"
	fakeEval  = "22222222-aaaa-4bbb-8ccc-000000000001"
	fakeAlloc = "33333333-aaaa-4bbb-8ccc-000000000001"
	fakeLost  = "34444444-aaaa-4bbb-8ccc-000000000002"
)

func newFakeAgent(t *testing.T) *fakeAgent {
	t.Helper()
	mux := http.NewServeMux()
	answers := fakeAnswers()
	maps.Copy(answers, fakeWhyAnswers())
	addShops(answers)
	for path, answer := range answers {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			value := answer(r)
			index := uint64(10)
			if v, ok := value.(indexed); ok {
				value, index = v.value, v.index
			}
			w.Header().Set("X-Nomad-Index", strconv.FormatUint(index, 10))
			if text, ok := value.(string); ok && strings.HasPrefix(text, "!") {
				http.Error(w, strings.TrimPrefix(text, "!"), http.StatusNotFound)
				return
			}
			if text, ok := value.(string); ok && strings.HasPrefix(text, "plain:") {
				_, _ = w.Write([]byte(strings.TrimPrefix(text, "plain:")))
				return
			}
			_ = json.NewEncoder(w).Encode(value)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &fakeAgent{url: server.URL}
}

var clockTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// mask replaces what differs from run to run.
func (f *fakeAgent) mask(line string) string {
	line = strings.ReplaceAll(line, strings.TrimPrefix(f.url, "http://"), "AGENT")
	line = clockTime.ReplaceAllStringFunc(line, func(text string) string {
		if at, err := time.Parse(time.RFC3339, text); err != nil || time.Since(at) > 24*time.Hour {
			return text
		}
		return "NNNN-NN-NNTNN:NN:NNZ"
	})
	return line
}

// before gives the Unix nanoseconds of some time ago.
func before(d time.Duration) int64 { return time.Now().Add(-d).UnixNano() }

func fakeJob() *api.Job {
	return &api.Job{
		ID: "web", Name: "web", Type: "service", Priority: 50, Namespace: "default", Region: "global", Datacenters: []string{"dc1"}, NodePool: "default",
		Status: "running", Version: 1, SubmitTime: 1700000000e9, JobModifyIndex: 9,
		TaskGroups: []*api.TaskGroup{{Name: "front", Count: 2, Tasks: []*api.Task{
			{Name: "server", Driver: "raw_exec"}, {Name: "setup", Driver: "raw_exec", Lifecycle: &api.TaskLifecycle{Hook: "prestart"}},
		}}},
	}
}

func fakeAllocation() *api.Allocation {
	return &api.Allocation{
		ID: fakeAlloc, EvalID: fakeEval, Name: "web.front[0]", NodeID: fakeNode, NodeName: "one", JobID: "web", Job: fakeJob(), Namespace: "default",
		TaskGroup: "front", DesiredStatus: "run", ClientStatus: "running", ClientDescription: "Tasks are running",
		CreateTime: before(3*time.Hour + 5*time.Minute + 20*time.Second), ModifyTime: before(2*time.Hour + 20*time.Second), CreateIndex: 5, ModifyIndex: 6,
		AllocatedResources: &api.AllocatedResources{
			Tasks: map[string]*api.AllocatedTaskResources{"server": {Cpu: api.AllocatedCpuResources{CpuShares: 100}, Memory: api.AllocatedMemoryResources{MemoryMB: 64}}},
			Shared: api.AllocatedSharedResources{DiskMB: 300, Ports: []api.PortMapping{{Label: "http", Value: 20001, HostIP: "127.0.0.1"}},
				Networks: []*api.NetworkResource{{Mode: "host", DynamicPorts: []api.Port{{Label: "http", Value: 20001}}}}},
		},
		TaskStates: map[string]*api.TaskState{
			"server": {State: "running", StartedAt: time.Unix(1700000001, 0), Events: []*api.TaskEvent{
				{Type: "Received", Time: 1700000000e9, DisplayMessage: "Task received by client"},
				{Type: "Started", Time: 1700000001e9, DisplayMessage: "Task started by client"},
			}},
			"setup": {State: "dead", StartedAt: time.Unix(1700000000, 0), FinishedAt: time.Unix(1700000001, 0), Events: []*api.TaskEvent{
				{Type: "Terminated", Time: 1700000001e9, DisplayMessage: "Exit Code: 0"},
			}},
		},
	}
}

// fakeFailed is an allocation whose task has failed.
func fakeFailed() *api.Allocation {
	a := fakeAllocation()
	a.ID, a.Name, a.ClientStatus, a.ClientDescription = fakeLost, "web.front[1]", "failed", "Failed tasks"
	a.TaskStates = map[string]*api.TaskState{"server": {State: "dead", Failed: true, Events: []*api.TaskEvent{
		{Type: "Started", Time: 1700000001e9, DisplayMessage: "Task started by client"},
		{Type: "Terminated", Time: 1700000002e9, DisplayMessage: "Exit Code: 3", ExitCode: 3},
		{Type: "Not Restarting", Time: 1700000002e9, DisplayMessage: "Exceeded allowed attempts 2 in interval 30m0s and mode is \"fail\""},
	}}}
	return a
}

func fakeEvaluation() *api.Evaluation {
	return &api.Evaluation{
		ID: fakeEval, Priority: 50, Type: "service", TriggeredBy: "job-register", Namespace: "default", JobID: "web", Status: "complete",
		CreateTime: before(3*time.Hour + 6*time.Minute + 5*time.Second), ModifyTime: before(3*time.Hour + 6*time.Minute + 5*time.Second), BlockedEval: "55555555-aaaa-4bbb-8ccc-000000000001",
		FailedTGAllocs: map[string]*api.AllocationMetric{"front": {
			NodesEvaluated: 3, NodesFiltered: 1, NodesExhausted: 2, CoalescedFailures: 4,
			ConstraintFiltered: map[string]int{"${attr.kernel.name} = plan9": 1}, DimensionExhausted: map[string]int{"memory": 2},
			NodesAvailable: map[string]int{"dc1": 3, "dc2": 0},
		}},
	}
}

func fakeNodeObject() *api.Node {
	return &api.Node{
		ID: fakeNode, Name: "one", Datacenter: "dc1", NodePool: "default", Status: "ready", SchedulingEligibility: "eligible",
		Drivers:       map[string]*api.DriverInfo{"raw_exec": {Detected: true, Healthy: true}, "exec": {Detected: true}, "java": {}},
		NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: 8192}, Disk: api.NodeDiskResources{DiskMB: 10240}},
		Events:        []*api.NodeEvent{{Message: "Node registered", Subsystem: "Cluster", Timestamp: time.Unix(1700000000, 0)}},
	}
}

func fakePlan() *api.JobPlanResponse {
	return &api.JobPlanResponse{
		JobModifyIndex: 9, Warnings: "1 warning:\n\n* Group \"front\" has warnings: update is stored and has no effect yet",
		Annotations:    &api.PlanAnnotations{DesiredTGUpdates: map[string]*api.DesiredUpdates{"front": {Place: 1, InPlaceUpdate: 2}}},
		FailedTGAllocs: fakeEvaluation().FailedTGAllocs,
		Diff: &api.JobDiff{Type: "Edited", ID: "web", Fields: []*api.FieldDiff{{Type: "Edited", Name: "Priority", Old: "50", New: "60"}},
			TaskGroups: []*api.TaskGroupDiff{{Type: "Edited", Name: "front", Updates: map[string]uint64{"create": 1, "in-place update": 2},
				Fields: []*api.FieldDiff{{Type: "Edited", Name: "Count", Old: "2", New: "3", Annotations: []string{"forces create"}}},
				Tasks: []*api.TaskDiff{
					{Type: "Edited", Name: "server", Annotations: []string{"forces in-place update"}, Objects: []*api.ObjectDiff{
						{Type: "Added", Name: "Env", Fields: []*api.FieldDiff{{Type: "Added", Name: "A", New: "1"}}},
						{Type: "Deleted", Name: "Meta", Fields: []*api.FieldDiff{{Type: "Deleted", Name: "owner", Old: "me"}}},
					}},
					{Type: "None", Name: "setup"},
				}}}},
	}
}

func fakeAnswers() map[string]func(r *http.Request) any {
	stub := func() *api.JobListStub {
		return &api.JobListStub{ID: "web", Name: "web", Namespace: "default", Type: "service", Priority: 50, Status: "running", SubmitTime: 1700000000e9}
	}
	fixed := func(v func() any) func(*http.Request) any { return func(*http.Request) any { return v() } }
	prefixed := func(prefix string, v func() any) func(*http.Request) any {
		return func(r *http.Request) any {
			if !strings.HasPrefix(prefix, r.FormValue("prefix")) {
				return []any{}
			}
			return v()
		}
	}
	return map[string]func(r *http.Request) any{
		"GET /v1/jobs": prefixed("web", func() any {
			dead := &api.JobListStub{ID: "webhook", Namespace: "default", Type: "batch", Priority: 30, Status: "dead", Stop: true, SubmitTime: 1700000100e9}
			return []*api.JobListStub{stub(), dead}
		}),
		"PUT /v1/jobs":                 fixed(func() any { return api.JobRegisterResponse{EvalID: fakeEval, JobModifyIndex: 10} }),
		"GET /v1/job/{id}":             fixed(func() any { return fakeJob() }),
		"DELETE /v1/job/{id}":          fixed(func() any { return api.JobDeregisterResponse{EvalID: fakeEval} }),
		"PUT /v1/job/{id}/plan":        fixed(func() any { return fakePlan() }),
		"GET /v1/job/{id}/evaluations": fixed(func() any { return []*api.Evaluation{fakeEvaluation()} }),
		"GET /v1/job/{id}/deployment":  fixed(func() any { return nil }),
		"GET /v1/job/{id}/summary": fixed(func() any {
			return &api.JobSummary{JobID: "web", Summary: map[string]api.TaskGroupSummary{"front": {Running: 1, Failed: 1, Queued: 5}}}
		}),
		"GET /v1/job/{id}/allocations": fixed(func() any {
			return []*api.AllocationListStub{fakeAllocation().Stub(false, true), fakeFailed().Stub(false, true)}
		}),
		"GET /v1/job/{id}/versions": fixed(func() any {
			old := fakeJob()
			old.Version, old.VersionTag = 0, &api.JobVersionTag{Name: "golden", Description: "worked"}
			return api.JobVersionsResponse{Versions: []*api.Job{fakeJob(), old}, Diffs: []*api.JobDiff{fakePlan().Diff}}
		}),
		"GET /v1/deployments":     fixed(func() any { return []*api.Deployment{} }),
		"GET /v1/evaluations":     prefixed(fakeEval, func() any { return []*api.Evaluation{fakeEvaluation()} }),
		"GET /v1/evaluation/{id}": fixed(func() any { return fakeEvaluation() }),
		"GET /v1/evaluation/{id}/allocations": fixed(func() any {
			return []*api.AllocationListStub{fakeAllocation().Stub(false, true), fakeFailed().Stub(false, true)}
		}),
		"GET /v1/allocations": func(r *http.Request) any {
			var out []*api.AllocationListStub
			for _, a := range []*api.Allocation{fakeAllocation(), fakeFailed()} {
				if strings.HasPrefix(a.ID, r.FormValue("prefix")) {
					out = append(out, a.Stub(false, true))
				}
			}
			return out
		},
		"GET /v1/allocation/{id}": func(r *http.Request) any {
			if r.PathValue("id") == fakeLost {
				return fakeFailed()
			}
			return fakeAllocation()
		},
		"GET /v1/client/allocation/{id}/stats": fixed(func() any {
			return &api.AllocResourceUsage{Tasks: map[string]*api.TaskResourceUsage{"server": {ResourceUsage: &api.ResourceUsage{
				CpuStats: &api.CpuStats{TotalTicks: 12.4}, MemoryStats: &api.MemoryStats{RSS: 9 << 20}}}}}
		}),
		"GET /v1/client/fs/logs/{id}": func(r *http.Request) any {
			text := "one\ntwo\nthree\nfour\n"
			if r.FormValue("type") == "stderr" {
				text = "panic: \x1b[2Jno config\n"
			}
			return "plain:" + text
		},
		"GET /v1/client/fs/stat/{id}": fixed(func() any { return &api.AllocFileInfo{Name: "/", IsDir: true} }),
		"GET /v1/client/fs/ls/{id}": fixed(func() any {
			return []*api.AllocFileInfo{
				{Name: "alloc", IsDir: true, Size: 4096, FileMode: "drwxr-xr-x", ModTime: time.Unix(1700000000, 0)},
				{Name: "notes.txt", Size: 123456, FileMode: "-rw-r--r--", ModTime: time.Unix(1700000000, 0)},
			}
		}),
		"GET /v1/nodes": fixed(func() any {
			return []*api.NodeListStub{{ID: fakeNode, Name: "one", Datacenter: "dc1", NodePool: "default", Status: "ready", SchedulingEligibility: "eligible"}}
		}),
		"GET /v1/node/{id}":             fixed(func() any { return fakeNodeObject() }),
		"GET /v1/node/{id}/allocations": fixed(func() any { return []*api.Allocation{fakeAllocation(), fakeFailed()} }),
		"GET /v1/client/stats": fixed(func() any {
			return &api.HostStats{Uptime: 90061, CPUTicksConsumed: 250.3, Memory: &api.HostMemoryStats{Total: 8 << 30, Used: 1 << 30}, AllocDirStats: &api.HostDiskStats{Size: 10 << 30, Used: 3 << 30}}
		}),
		"GET /v1/namespaces": fixed(func() any {
			return []*api.Namespace{{Name: "default", Description: "Default shared namespace"}, {Name: "team"}}
		}),
		"GET /v1/agent/members": fixed(func() any {
			return api.ServerMembers{Members: []*api.AgentMember{{Name: "one.global", Addr: "127.0.0.1", Port: 4648, Status: "alive", Tags: map[string]string{"port": "4647", "build": "2.0.0", "dc": "dc1", "region": "global", "raft_vsn": "3"}}}}
		}),
		"GET /v1/status/leader": fixed(func() any { return "127.0.0.1:4647" }),
		"GET /v1/operator/scheduler/configuration": fixed(func() any {
			return api.SchedulerConfigurationResponse{SchedulerConfig: api.DefaultSchedulerConfiguration()}
		}),
		"PUT /v1/search": func(r *http.Request) any {
			var req api.SearchRequest
			_ = json.NewDecoder(r.Body).Decode(&req)
			matches := map[string][]string{}
			for kind, ids := range map[string][]string{"jobs": {"web", "webhook"}, "allocs": {fakeAlloc, fakeLost}, "nodes": {fakeNode}} {
				for _, id := range ids {
					if strings.HasPrefix(id, req.Prefix) && (req.Context == kind || req.Context == "all") {
						matches[kind] = append(matches[kind], id)
					}
				}
			}
			return api.SearchResponse{Matches: matches}
		},
	}
}
