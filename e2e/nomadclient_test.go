package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/api/contexts"

	"github.com/seraihq/serai/e2e/rig"
)

func ptr[T any](v T) *T { return &v }

// TestNomadClientJobs drives jobs as a program that uses Nomad's client would,
// with a job that is built from its structs.
func TestNomadClientJobs(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	jobs := a.nomad.Jobs()
	job := nomad.NewServiceJob(id, id, "global", 50).AddDatacenter("dc1").AddTaskGroup(
		nomad.NewTaskGroup("g", 1).SetMeta("k", "v").ScalingPolicy(&nomad.ScalingPolicy{
			Min: ptr(int64(0)), Max: ptr(int64(5)), Enabled: ptr(true), Policy: map[string]any{"cooldown": "1m"},
		}).AddTask(nomad.NewTask("t", "raw_exec").SetConfig("command", "/bin/sleep").SetConfig("args", []string{"600"}).
			Require(&nomad.Resources{CPU: ptr(10), MemoryMB: ptr(20)})))

	check, _, err := jobs.Validate(job, nil)
	if err != nil || len(check.ValidationErrors) > 0 || !check.DriverConfigValidated {
		t.Errorf("validate: %+v %v", check, err)
	}
	bad := nomad.NewServiceJob(id, id, "global", 5000)
	if check, _, err := jobs.Validate(bad, nil); err == nil && len(check.ValidationErrors) < 2 {
		t.Errorf("validate of a bad job: %+v", check)
	}
	plan, _, err := jobs.Plan(job, true, nil)
	if err != nil || plan.Diff.Type != "Added" || plan.Annotations.DesiredTGUpdates["g"].Place != 1 || plan.JobModifyIndex != 0 {
		t.Fatalf("plan: %+v %v", plan, err)
	}
	reg, meta, err := jobs.Register(job, nil)
	if err != nil || reg.EvalID == "" || reg.JobModifyIndex == 0 || meta.LastIndex == 0 {
		t.Fatalf("register: %+v %+v %v", reg, meta, err)
	}
	if !strings.Contains(reg.Warnings, "scaling") {
		t.Errorf("warnings %q do not name the scaling block", reg.Warnings)
	}
	if _, _, err := jobs.EnforceRegister(job, 0, nil); err == nil || !strings.Contains(err.Error(), nomad.RegisterEnforceIndexErrPrefix) {
		t.Errorf("enforce index 0: %v", err)
	}
	if _, _, err := jobs.EnforceRegister(job, reg.JobModifyIndex, nil); err != nil {
		t.Errorf("enforce the right index: %v", err)
	}
	a.waitOne(t, id, "running")

	list, _, err := jobs.List(&nomad.QueryOptions{Prefix: id})
	if err != nil || len(list) != 1 || list[0].JobSummary == nil || list[0].JobSummary.Summary["g"].Running != 1 {
		t.Errorf("list: %+v %v", list, err)
	}
	status, _, err := jobs.ScaleStatus(id, nil)
	if err != nil || status.TaskGroups["g"].Desired != 1 || status.TaskGroups["g"].Running != 1 {
		t.Errorf("scale status: %+v %v", status, err)
	}
	if _, _, err := jobs.Scale(id, "g", ptr(3), "because", false, map[string]any{"who": "me"}, nil); err != nil {
		t.Errorf("scale: %v", err)
	}
	a.waitStatus(t, id, "running", 3)
	if _, _, err := jobs.Scale(id, "g", ptr(9), "too many", false, nil, nil); err == nil {
		t.Error("scale over the maximum was accepted")
	}
	if _, _, err := jobs.Scale(id, "g", nil, "just a note", true, nil, nil); err != nil {
		t.Errorf("a scaling event without a count: %v", err)
	}
	status, _, err = jobs.ScaleStatus(id, nil)
	if err != nil || len(status.TaskGroups["g"].Events) < 2 || !slices.ContainsFunc(status.TaskGroups["g"].Events, func(e nomad.ScalingEvent) bool {
		return e.Message == "because" && e.Count != nil && *e.Count == 3 && e.PreviousCount == 1 && e.Meta["who"] == "me"
	}) {
		t.Errorf("scaling events: %+v %v", status.TaskGroups["g"], err)
	}
	policies, _, err := a.nomad.Scaling().ListPolicies(&nomad.QueryOptions{Params: map[string]string{"job": id}})
	if err != nil || len(policies) != 1 || policies[0].Type != "horizontal" || policies[0].Target["Job"] != id {
		t.Fatalf("scaling policies: %+v %v", policies, err)
	}
	policy, _, err := a.nomad.Scaling().GetPolicy(policies[0].ID, nil)
	if err != nil || *policy.Max != 5 || policy.Policy["cooldown"] != "1m" {
		t.Errorf("scaling policy: %+v %v", policy, err)
	}

	versions, diffs, _, err := jobs.Versions(id, true, nil)
	if err != nil || len(versions) != 2 || len(diffs) != 1 {
		t.Errorf("%d versions, %d diffs, %v", len(versions), len(diffs), err)
	}
	if _, _, err := jobs.Stable(id, 0, true, nil); err != nil {
		t.Errorf("stable: %v", err)
	}
	if _, _, err := jobs.Revert(id, 0, nil, nil, "", ""); err != nil {
		t.Errorf("revert: %v", err)
	}
	if _, _, err := jobs.Revert(id, 0, ptr(uint64(99)), nil, "", ""); err == nil {
		t.Error("revert with a wrong prior version was accepted")
	}
	info, _, err := jobs.Info(id, nil)
	if err != nil || *info.Version != 2 || *info.TaskGroups[0].Count != 1 {
		t.Errorf("after the revert: version %v count %v, %v", info.Version, info.TaskGroups[0].Count, err)
	}
	if _, _, err := jobs.Dispatch(id, nil, nil, "", nil); err == nil {
		t.Error("dispatch of a job that is not parameterized was accepted")
	}
	if _, _, err := jobs.PeriodicForce(id, nil); err == nil {
		t.Error("a forced launch of a job that is not periodic was accepted")
	}
	if eval, _, err := jobs.ForceEvaluate(id, nil); err != nil || len(eval) != 36 {
		t.Errorf("evaluate: %q %v", eval, err)
	}
	if deployments, _, err := jobs.Deployments(id, true, nil); err != nil || len(deployments) == 0 {
		t.Errorf("deployments: %v %v", deployments, err)
	}
	if latest, _, err := jobs.LatestDeployment(id, nil); err != nil || latest == nil || latest.JobID != id {
		t.Errorf("latest deployment: %v %v", latest, err)
	}
	evals, _, err := jobs.Evaluations(id, nil)
	if err != nil || len(evals) < 4 {
		t.Errorf("%d evaluations, %v", len(evals), err)
		for _, e := range evals {
			t.Logf("%+v", *e)
		}
	}
	// The end of a task may add an evaluation between the two calls.
	eventually(t, "the count of evaluations is that of the list", func() (bool, string) {
		n, _, err := a.nomad.Evaluations().Count(&nomad.QueryOptions{Filter: fmt.Sprintf("JobID == %q", id)})
		if err != nil {
			return false, err.Error()
		}
		listed, _, err := jobs.Evaluations(id, nil)
		return err == nil && n.Count == len(listed), fmt.Sprintf("count %d, listed %d (%v)", n.Count, len(listed), err)
	})
	eval, _, err := jobs.DeregisterOpts(id, &nomad.DeregisterOptions{Purge: true}, nil)
	if err != nil || len(eval) != 36 {
		t.Errorf("deregister: %q %v", eval, err)
	}
	if _, _, err := jobs.Info(id, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("read of a purged job: %v", err)
	}
}

func TestNomadClientAllocations(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t", "echo out; echo err >&2; echo content > $NOMAD_TASK_DIR/f; trap 'echo usr' USR1; while true; do sleep 0.05; done", `kill_timeout = "300ms"`)))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stderr", "err")
	alloc := a.alloc(t, s.ID)
	if alloc.Job == nil || *alloc.Job.ID != id || alloc.NodeName != a.Mark || alloc.AllocatedResources.Tasks["t"].Memory.MemoryMB != 32 || len(alloc.Metrics.ScoreMetaData) == 0 {
		t.Errorf("allocation: job %v node %q resources %+v metrics %+v", alloc.Job, alloc.NodeName, alloc.AllocatedResources, alloc.Metrics)
	}

	usage, err := a.nomad.Allocations().Stats(alloc, nil)
	if err != nil || usage.Tasks["t"] == nil || usage.Tasks["t"].ResourceUsage.MemoryStats.RSS == 0 && usage.Tasks["t"].ResourceUsage.MemoryStats.Usage == 0 {
		t.Errorf("stats: %+v %v", usage, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr syncBuffer
	code, err := a.nomad.Allocations().Exec(ctx, alloc, "t", false, []string{"/bin/sh", "-c", "cat; echo e >&2; exit 3"},
		strings.NewReader("through stdin\n"), &stdout, &stderr, nil, nil)
	if err != nil || code != 3 || stdout.String() != "through stdin\n" || stderr.String() != "e\n" {
		t.Errorf("exec: %d %v stdout %q stderr %q", code, err, stdout.String(), stderr.String())
	}
	sizes := make(chan nomad.TerminalSize, 1)
	sizes <- nomad.TerminalSize{Height: 21, Width: 77}
	stdout = syncBuffer{}
	code, err = a.nomad.Allocations().Exec(ctx, alloc, "t", true, []string{"/bin/sh", "-c", "until stty size | grep -q '21 77'; do sleep 0.05; done; tty"},
		strings.NewReader(""), &stdout, &stderr, sizes, nil)
	if err != nil || code != 0 || !strings.Contains(stdout.String(), "/dev/pts/") {
		t.Errorf("exec on a terminal: %d %v %q", code, err, stdout.String())
	}
	if _, err := a.nomad.Allocations().Exec(ctx, alloc, "nothing", false, []string{"true"}, strings.NewReader(""), io.Discard, io.Discard, nil, nil); err == nil {
		t.Error("exec in no task was accepted")
	}

	fs := a.nomad.AllocFS()
	frames, errs := fs.Logs(alloc, true, "t", "stdout", "start", 0, ctx.Done(), nil)
	if err := a.nomad.Allocations().Signal(alloc, nil, "t", "SIGUSR1"); err != nil {
		t.Errorf("signal: %v", err)
	}
	var out strings.Builder
	for !strings.Contains(out.String(), "usr\n") {
		select {
		case f, ok := <-frames:
			if !ok {
				t.Fatalf("the log stream ended: %q", out.String())
			}
			out.Write(f.Data)
		case err := <-errs:
			t.Fatalf("logs: %v", err)
		case <-ctx.Done():
			t.Fatalf("logs: %v, got %q", ctx.Err(), out.String())
		}
	}
	if out.String() != "out\nusr\n" {
		t.Errorf("logs: %q", out.String())
	}
	entries, _, err := fs.List(alloc, "/", nil)
	if err != nil || !slices.ContainsFunc(entries, func(f *nomad.AllocFileInfo) bool { return f.Name == "alloc" && f.IsDir && f.FileMode != "" }) {
		t.Errorf("ls: %+v %v", entries, err)
	}
	stat, _, err := fs.Stat(alloc, "t/local/f", nil)
	if err != nil || stat.Size != 8 || stat.Name != "f" || time.Since(stat.ModTime) > time.Hour {
		t.Errorf("stat: %+v %v", stat, err)
	}
	if r, err := fs.ReadAt(alloc, "t/local/f", 3, 4, nil); err != nil || read(t, r) != "tent" {
		t.Errorf("readat: %v", err)
	}
	if r, err := fs.Cat(alloc, "t/local/f", nil); err != nil || read(t, r) != "content\n" {
		t.Errorf("cat: %v", err)
	}
	stop := make(chan struct{})
	file, ferrs := fs.Stream(alloc, "t/local/f", "end", 4, stop, nil)
	select {
	case f := <-file:
		if string(f.Data) != "ent\n" {
			t.Errorf("stream from the end: %q", f.Data)
		}
	case err := <-ferrs:
		t.Errorf("stream: %v", err)
	case <-ctx.Done():
		t.Error("stream: nothing comes")
	}
	close(stop)

	if err := a.nomad.Allocations().Restart(alloc, "t", nil); err != nil {
		t.Errorf("restart: %v", err)
	}
	a.waitAllocs(t, id, "a restart", func(s stubs) bool {
		return len(s) == 1 && s[0].TaskStates["t"].Restarts == 1 && s[0].TaskStates["t"].State == "running"
	})
	if event(a.alloc(t, s.ID), "t", "Restart Signaled") == nil {
		t.Errorf("events %v", events(a.alloc(t, s.ID), "t"))
	}
	resp, err := a.nomad.Allocations().Stop(alloc, nil)
	if err != nil || resp.EvalID == "" {
		t.Errorf("stop: %+v %v", resp, err)
	}
	l := a.waitAllocs(t, id, "a replacement", func(s stubs) bool { return len(s) == 2 && len(s.with("running")) == 1 && len(s.with("complete")) == 1 })
	if next := l.with("running")[0]; next.ID == s.ID || next.Name != s.Name {
		t.Errorf("replacement: %s", l)
	}
	if err := a.nomad.Allocations().GC(alloc, nil); err != nil {
		t.Errorf("gc of the stopped allocation: %v", err)
	}
	eventually(t, "its files are gone", func() (bool, string) {
		_, _, err := fs.List(alloc, "/", nil)
		return err != nil, "they are there"
	})
	all, _, err := a.nomad.Allocations().List(&nomad.QueryOptions{Prefix: s.ID[:8], Params: map[string]string{"resources": "true", "task_states": "false"}})
	if err != nil || len(all) != 1 || all[0].AllocatedResources == nil || len(all[0].TaskStates) != 0 {
		t.Errorf("list: %+v %v", all, err)
	}
}

// TestManyExecSessions: each one gets its output and its exit code, however the
// end of the command and the end of the session fall.
func TestManyExecSessions(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t", "exec sleep 600")))
	alloc := a.alloc(t, a.waitOne(t, id, "running").ID)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 10 {
				var out syncBuffer
				want := 10*w + i
				code, err := a.nomad.Allocations().Exec(ctx, alloc, "t", false, []string{"/bin/sh", "-c", fmt.Sprintf("echo %d; exit %d", want, want)},
					strings.NewReader(""), &out, io.Discard, nil, nil)
				if err != nil || code != want || out.String() != fmt.Sprintln(want) {
					t.Errorf("session %d: %d %v %q", want, code, err, out.String())
				}
			}
		})
	}
	wg.Wait()
}

func TestNomadClientNodes(t *testing.T) {
	t.Parallel()
	a := shared(t)
	list, _, err := a.nomad.Nodes().List(&nomad.QueryOptions{Params: map[string]string{"resources": "true", "os": "true"}})
	if err != nil || len(list) != 1 || list[0].Status != "ready" || list[0].SchedulingEligibility != "eligible" || list[0].NodeResources == nil || list[0].Attributes["os.name"] == "" {
		t.Fatalf("list: %+v %v", list, err)
	}
	node, _, err := a.nomad.Nodes().Info(list[0].ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	var raw struct{ SecretID string }
	if a.get(t, "/v1/node/"+node.ID, &raw); raw.SecretID != "" {
		t.Error("the node's secret is shown")
	}
	for _, k := range []string{"cpu.arch", "cpu.numcores", "cpu.totalcompute", "kernel.name", "kernel.arch", "kernel.version", "memory.totalbytes", "os.name", "os.version",
		"os.signals", "unique.hostname", "unique.storage.bytestotal", "unique.network.ip-address", "driver.raw_exec", "driver.mock_driver", "nomad.version"} {
		if node.Attributes[k] == "" {
			t.Errorf("attribute %s is not set", k)
		}
	}
	for _, d := range []string{"raw_exec", "exec", "mock_driver"} {
		if info := node.Drivers[d]; info == nil || !info.Detected || !info.Healthy {
			if d == "exec" && info != nil {
				t.Logf("exec: %+v", info)
				continue
			}
			t.Errorf("driver %s: %+v", d, info)
		}
	}
	if r := node.NodeResources; r.Memory.MemoryMB == 0 || r.Cpu.CpuShares == 0 || r.Disk.DiskMB == 0 || len(node.Events) == 0 {
		t.Errorf("resources %+v, events %v", r, node.Events)
	}
	stats, err := a.nomad.Nodes().Stats(node.ID, nil)
	if err != nil || stats.Memory.Total == 0 || len(stats.CPU) == 0 || stats.Uptime == 0 || len(stats.DiskStats) == 0 {
		t.Errorf("stats: %+v %v", stats, err)
	}
	if _, _, err := a.nomad.Nodes().Allocations(node.ID, nil); err != nil {
		t.Errorf("allocations: %v", err)
	}
	if _, _, err := a.nomad.Nodes().ForceEvaluate(node.ID, nil); err != nil && !strings.Contains(err.Error(), "no ") {
		t.Errorf("evaluate: %v", err)
	}
	meta, err := a.nomad.Nodes().Meta().Apply(&nomad.NodeMetaApplyRequest{NodeID: node.ID, Meta: map[string]*string{"rack": ptr("r7")}}, nil)
	if err != nil || meta.Meta["rack"] != "r7" {
		t.Errorf("meta: %+v %v", meta, err)
	}
	eventually(t, "the server knows the new meta", func() (bool, string) {
		n, _, err := a.nomad.Nodes().Info(node.ID, nil)
		return err == nil && n.Meta["rack"] == "r7", fmt.Sprint(n.Meta, err)
	})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", "constraint {\n attribute = \"${meta.rack}\"\n value = \"r7\"\n}", mockTask("t", `run_for = "10ms"`)))
	a.waitOne(t, id, "complete")
	pools, _, err := a.nomad.NodePools().List(nil)
	if err != nil || len(pools) < 2 {
		t.Errorf("pools: %+v %v", pools, err)
	}
	if _, _, err := a.nomad.NodePools().ListNodes("default", nil); err != nil {
		t.Errorf("nodes of a pool: %v", err)
	}
}

func TestNomadClientRest(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true}) // it collects garbage, which others still look at
	id := a.jobID(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := a.nomad.EventStream().Stream(ctx, map[nomad.Topic][]string{nomad.TopicAllocation: {id}, nomad.TopicJob: {id}, nomad.TopicEvaluation: {"*"}, nomad.TopicNode: {"*"}}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.register(t, oneGroup(id, "batch", mockTask("t", `run_for = "30ms"`)))
	complete := false
	for !complete {
		frame, ok := <-stream
		if !ok || frame.Err != nil {
			t.Fatalf("event stream: %+v", frame)
		}
		for _, e := range frame.Events {
			switch e.Topic {
			case nomad.TopicAllocation:
				alloc, err := e.Allocation()
				if err != nil || alloc.JobID != id {
					t.Fatalf("allocation event: %+v %v", alloc, err)
				}
				complete = complete || alloc.ClientStatus == "complete"
			case nomad.TopicJob:
				if job, err := e.Job(); err != nil || *job.ID != id {
					t.Fatalf("job event: %+v %v", job, err)
				}
			case nomad.TopicEvaluation:
				if eval, err := e.Evaluation(); err != nil || eval.ID == "" {
					t.Fatalf("evaluation event: %+v %v", eval, err)
				}
			}
		}
	}
	cancel()

	found, _, err := a.nomad.Search().PrefixSearch(id, contexts.Jobs, nil)
	if err != nil || !slices.Equal(found.Matches[contexts.Jobs], []string{id}) {
		t.Errorf("search: %+v %v", found, err)
	}
	fuzzy, _, err := a.nomad.Search().FuzzySearch(id[3:], contexts.All, nil)
	if err != nil || len(fuzzy.Matches[contexts.Jobs]) != 1 {
		t.Errorf("fuzzy search: %+v %v", fuzzy, err)
	}
	if self, err := a.nomad.Agent().Self(); err != nil || self.Member.Name == "" || self.Stats["nomad"] == nil {
		t.Errorf("self: %+v %v", self, err)
	}
	if name, err := a.nomad.Agent().NodeName(); err != nil || name == "" {
		t.Errorf("node name: %q %v", name, err)
	}
	if region, err := a.nomad.Agent().Region(); err != nil || region != "global" {
		t.Errorf("region: %q %v", region, err)
	}
	if dc, err := a.nomad.Agent().Datacenter(); err != nil || dc != "dc1" {
		t.Errorf("datacenter: %q %v", dc, err)
	}
	members, err := a.nomad.Agent().Members()
	if err != nil || len(members.Members) != 1 || members.Members[0].Status != "alive" || members.Members[0].Tags["role"] != "nomad" {
		t.Errorf("members: %+v %v", members, err)
	}
	if health, err := a.nomad.Agent().Health(); err != nil || !health.Server.Ok || !health.Client.Ok {
		t.Errorf("health: %+v %v", health, err)
	}
	raft, err := a.nomad.Operator().RaftGetConfiguration(nil)
	if err != nil || len(raft.Servers) != 1 || !raft.Servers[0].Leader || !raft.Servers[0].Voter {
		t.Errorf("raft configuration: %+v %v", raft, err)
	}
	summary, _, err := a.nomad.Operator().MetricsSummary(nil)
	if err != nil || len(summary.Gauges) == 0 {
		t.Errorf("metrics: %+v %v", summary, err)
	}
	stop := make(chan struct{})
	logs, lerrs := a.nomad.Agent().Monitor(stop, &nomad.QueryOptions{Params: map[string]string{"log_level": "debug"}})
	// Something must be logged meanwhile.
	go func() {
		for range 5 {
			http.Get(a.Address + "/v1/jobs?filter=nonsense(")
			a.nomad.Jobs().ForceEvaluate(id, nil)
			a.nomad.System().GarbageCollect()
		}
	}()
	select {
	case frame := <-logs:
		if len(frame.Data) == 0 {
			t.Errorf("monitor: an empty frame")
		}
	case err := <-lerrs:
		t.Errorf("monitor: %v", err)
	case <-time.After(patience):
		t.Error("monitor: nothing comes")
	}
	close(stop)
	if err := a.nomad.System().GarbageCollect(); err != nil {
		t.Errorf("system gc: %v", err)
	}
	if err := a.nomad.System().ReconcileSummaries(); err != nil {
		t.Errorf("reconcile summaries: %v", err)
	}
	snap, err := a.nomad.Operator().Snapshot(nil)
	if err != nil {
		t.Errorf("snapshot: %v", err)
	} else if text := read(t, snap); len(text) == 0 {
		t.Error("an empty snapshot")
	}
}

// loss compares what the agent sent with what Nomad's client makes of it.
type loss struct {
	wrong   []string
	unknown map[string]bool // sent, and not known to the client
	missing map[string]bool // known to the client and not sent
}

func (l *loss) compare(path string, sent, again any) {
	switch s := sent.(type) {
	case map[string]any:
		m, ok := again.(map[string]any)
		if !ok {
			if len(s) > 0 || again != nil {
				l.wrong = append(l.wrong, fmt.Sprintf("%s: sent %.120v, the client has %.120v", path, sent, again))
			}
			return
		}
		for k, v := range s {
			w, ok := m[k]
			if !ok {
				if !empty(v) {
					l.unknown[path+"."+k] = true
				}
				continue
			}
			l.compare(path+"."+k, v, w)
		}
		for k := range m {
			if _, ok := s[k]; !ok {
				l.missing[path+"."+k] = true
			}
		}
	case []any:
		m, ok := again.([]any)
		if !ok && len(s) == 0 && again == nil {
			return
		}
		if !ok || len(m) != len(s) {
			l.wrong = append(l.wrong, fmt.Sprintf("%s: sent %.120v, the client has %.120v", path, sent, again))
			return
		}
		for i := range s {
			l.compare(path+"[]", s[i], m[i])
		}
	default:
		if empty(sent) && empty(again) {
			return
		}
		if !reflect.DeepEqual(sent, again) && !sameTime(sent, again) {
			l.wrong = append(l.wrong, fmt.Sprintf("%s: sent %.120v, the client has %.120v", path, sent, again))
		}
	}
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case json.Number:
		return v == "0"
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return reflect.ValueOf(v).IsZero()
}

func sameTime(x, y any) bool {
	a, ok1 := x.(string)
	b, ok2 := y.(string)
	if !ok1 || !ok2 {
		return false
	}
	s, err1 := time.Parse(time.RFC3339Nano, a)
	u, err2 := time.Parse(time.RFC3339Nano, b)
	return err1 == nil && err2 == nil && s.Equal(u)
}

func number(text []byte, t *testing.T) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return v
}

// TestNomadClientLosesNothing decodes every kind of answer into the structs of
// Nomad's client, encodes these again and compares field by field.
func TestNomadClientLosesNothing(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	full := fullJob(id)
	resp := a.register(t, full)
	a.waitOne(t, id, "running")
	s := a.waitOne(t, id, "running")
	a.nomad.Jobs().Scale(id, "g", ptr(1), "note", false, map[string]any{"a": 1}, nil)
	var nodes []nomad.NodeListStub
	a.get(t, "/v1/nodes", &nodes)
	node := nodes[0].ID
	planned := a.parse(t, strings.Replace(full, "sleep 600", "sleep 601", 1))
	planBody, _ := json.Marshal(map[string]any{"Job": planned, "Diff": true})

	type try struct {
		method, path, body string
		into               any
	}
	tries := []try{
		{"GET", "/v1/jobs?prefix=" + id, "", new([]*nomad.JobListStub)},
		{"GET", "/v1/job/" + id, "", new(nomad.Job)},
		{"GET", "/v1/job/" + id + "/versions?diffs=true", "", new(nomad.JobVersionsResponse)},
		{"GET", "/v1/job/" + id + "/summary", "", new(nomad.JobSummary)},
		{"GET", "/v1/job/" + id + "/scale", "", new(nomad.JobScaleStatusResponse)},
		{"GET", "/v1/job/" + id + "/allocations", "", new([]*nomad.AllocationListStub)},
		{"GET", "/v1/job/" + id + "/evaluations", "", new([]*nomad.Evaluation)},
		{"PUT", "/v1/job/" + id + "/plan", string(planBody), new(nomad.JobPlanResponse)},
		{"PUT", "/v1/validate/job", string(planBody), new(nomad.JobValidateResponse)},
		{"GET", "/v1/allocations?resources=true&prefix=" + s.ID[:4], "", new([]*nomad.AllocationListStub)},
		{"GET", "/v1/allocation/" + s.ID, "", new(nomad.Allocation)},
		{"GET", "/v1/client/allocation/" + s.ID + "/stats", "", new(nomad.AllocResourceUsage)},
		{"GET", "/v1/client/fs/ls/" + s.ID, "", new([]*nomad.AllocFileInfo)},
		{"GET", "/v1/evaluations", "", new([]*nomad.Evaluation)},
		{"GET", "/v1/evaluation/" + resp.EvalID + "?related=true", "", new(nomad.Evaluation)},
		{"GET", "/v1/nodes?resources=true&os=true", "", new([]*nomad.NodeListStub)},
		{"GET", "/v1/node/" + node, "", new(nomad.Node)},
		{"GET", "/v1/client/stats", "", new(nomad.HostStats)},
		{"GET", "/v1/node/pools", "", new([]*nomad.NodePool)},
		{"GET", "/v1/namespaces", "", new([]*nomad.Namespace)},
		{"GET", "/v1/operator/scheduler/configuration", "", new(nomad.SchedulerConfigurationResponse)},
		{"GET", "/v1/operator/raft/configuration", "", new(nomad.RaftConfiguration)},
		{"GET", "/v1/agent/members", "", new(nomad.ServerMembers)},
		{"GET", "/v1/agent/health", "", new(nomad.AgentHealthResponse)},
		{"GET", "/v1/scaling/policies?job=" + id, "", new([]*nomad.ScalingPolicyListStub)},
		{"GET", "/v1/metrics", "", new(nomad.MetricsSummary)},
		{"PUT", "/v1/search", `{"Prefix":"` + id + `","Context":"all"}`, new(nomad.SearchResponse)},
		{"PUT", "/v1/search/fuzzy", `{"Text":"` + id + `","Context":"all"}`, new(nomad.FuzzySearchResponse)},
	}
	for _, c := range tries {
		var body any
		if c.body != "" {
			body = c.body
		}
		r := a.do(t, c.method, c.path, body)
		if r.status != 200 {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
			continue
		}
		if err := json.Unmarshal(r.body, c.into); err != nil {
			t.Errorf("%s %s: Nomad's client cannot decode it: %v\n%.500s", c.method, c.path, err, r.body)
			continue
		}
		again, err := json.Marshal(c.into)
		if err != nil {
			t.Fatal(err)
		}
		l := &loss{unknown: map[string]bool{}, missing: map[string]bool{}}
		l.compare("", number(r.body, t), number(again, t))
		for _, w := range l.wrong {
			t.Errorf("%s %s: %s", c.method, c.path, w)
		}
		if len(l.unknown) > 0 {
			t.Logf("%s: sent, and not known to Nomad's client: %v", c.path, keys(l.unknown))
		}
		if len(l.missing) > 0 {
			t.Logf("%s: known to Nomad's client, and not sent: %v", c.path, keys(l.missing))
		}
	}
}

func keys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// TestJobComesBackAsSent registers a job with every block that is accepted, and
// finds in what is read back all that was sent.
func TestJobComesBackAsSent(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := a.parse(t, fullJob(id))
	a.register(t, fullJob(id))
	sent, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	r := a.do(t, "GET", "/v1/job/"+id, nil)
	var back nomad.Job
	if err := json.Unmarshal(r.body, &back); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(back)
	l := &loss{unknown: map[string]bool{}, missing: map[string]bool{}}
	want, have := number(sent, t).(map[string]any), number(got, t).(map[string]any)
	for _, k := range []string{"Status", "StatusDescription", "SubmitTime", "CreateIndex", "ModifyIndex", "JobModifyIndex", "Version", "Stable"} {
		delete(want, k)
	}
	l.compare("Job", want, have)
	for _, w := range l.wrong {
		// What the server fills in is empty in what was sent.
		if !strings.Contains(w, "sent <nil>") && !strings.Contains(w, ": sent , ") {
			t.Error(w)
		}
	}
}

// fullJob uses every block that is accepted before its function is there.
func fullJob(id string) string {
	return fmt.Sprintf(`
job %q {
  type        = "service"
  priority    = 55
  datacenters = ["dc*"]
  meta {
    owner = "me"
  }
  ui {
    description = "all of it"
    link {
      label = "docs"
      url   = "https://example.com"
    }
  }
  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }
  affinity {
    attribute = "${node.datacenter}"
    value     = "dc1"
    weight    = 60
  }
  spread {
    attribute = "${node.datacenter}"
    weight    = 40
    target "dc1" {
      percent = 100
    }
  }
  update {
    max_parallel      = 2
    health_check      = "task_states"
    min_healthy_time  = "3s"
    healthy_deadline  = "2m"
    progress_deadline = "4m"
    auto_revert       = true
    stagger           = "7s"
  }
  group "g" {
    count          = 1
    shutdown_delay = "10ms"
    scaling {
      min     = 1
      max     = 4
      enabled = true
      policy {
        cooldown = "2m"
        check "load" {
          source = "prometheus"
          query  = "up"
        }
      }
    }
    network {
      port "http" {
        to = 8080
      }
    }
    service {
      name     = "web"
      provider = "nomad"
      port     = "http"
      tags     = ["a", "b"]
      meta {
        v = "1"
      }
      check {
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "2s"
      }
    }
    restart {
      attempts = 4
      interval = "20m"
      delay    = "11s"
      mode     = "delay"
    }
    reschedule {
      delay          = "31s"
      delay_function = "fibonacci"
      max_delay      = "2h"
      unlimited      = true
    }
    migrate {
      max_parallel     = 2
      min_healthy_time = "12s"
    }
    disconnect {
      lost_after = "1h"
      reconcile  = "keep_original"
    }
    ephemeral_disk {
      size   = 110
      sticky = true
    }
    task "init" {
      driver = "raw_exec"
      config {
        command = "/bin/true"
      }
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
    }
    task "t" {
      driver         = "raw_exec"
      leader         = true
      kill_timeout   = "800ms"
      kill_signal    = "SIGINT"
      shutdown_delay = "5ms"
      config {
        command = "/bin/sh"
        args    = ["-c", "exec sleep 600"]
      }
      env {
        A = "1"
      }
      meta {
        m = "n"
      }
      action "hello" {
        command = "/bin/echo"
        args    = ["hi"]
      }
      logs {
        max_files     = 3
        max_file_size = 2
      }
      resources {
        cpu        = 20
        memory     = 30
        memory_max = 60
      }
    }
  }
}`, id)
}
