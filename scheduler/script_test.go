package scheduler_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

// TestScripts runs testdata/*.txt. A script is blocks of commands, each with
// "----" and the output that is expected after it; see script.command for the
// commands. The invariants of a cluster are checked after every plan.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := (&script{t: t, world: newWorld(), jobSpecs: map[string]spec{}, nodeSpecs: map[string]spec{}}).run(string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s differs; got:\n%s", file, got)
			}
		})
	}
}

type script struct {
	*world
	t         *testing.T
	jobSpecs  map[string]spec
	nodeSpecs map[string]spec
	out       strings.Builder
}

// run executes a script and gives it back with the output that there was.
func (s *script) run(text string) string {
	var result strings.Builder
	expecting := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case expecting && line != "":
			continue
		case line == "----":
			expecting = true
			result.WriteString("----\n" + s.out.String())
			s.out.Reset()
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			expecting = false
		default:
			s.command(line)
		}
		result.WriteString(line + "\n")
	}
	return result.String()
}

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// command executes one line:
//
//	node ID key=value…    adds a node or changes one; see makeNode
//	remove ID             removes a node
//	job ID key=value…     adds a job or changes it; see makeJob
//	purge ID              removes a job
//	alloc NAME key=value… changes the last allocation of the name; see alter
//	healthy ID            all that shall run of a job runs and is healthy
//	deployment ID VERB    promotes, pauses, resumes, fails or completes one
//	now +DURATION         lets time go by
//	due ID                evaluates what waited for a time that has come
//	deployments ID        shows a job's deployments
//	config key=value…     changes the scheduler configuration
//	pool NAME key=value…  changes that of a node pool
//	run ID                evaluates a job and applies the plan
//	scores ID             the same, telling the metrics of placements
//	wake ID               evaluates a job's blocked evaluation
//	plan ID               evaluates without applying
//	allocs ID             shows a job's allocations
//	evals ID              shows a job's blocked, cancelled and delayed evaluations
func (s *script) command(line string) {
	words := split(line)
	name, args := words[1], parseSpec(words[2:])
	switch words[0] {
	case "node":
		s.nodeSpecs[name] = merge(s.nodeSpecs[name], args)
		s.putNode(makeNode(name, s.nodeSpecs[name]))
	case "remove":
		s.removeNode(name)
	case "job":
		s.jobSpecs[name] = merge(s.jobSpecs[name], args)
		s.putJob(makeJob(name, s.jobSpecs[name]))
	case "purge":
		delete(s.jobs, api.NamespacedID{Namespace: api.DefaultNamespace, ID: name})
	case "alloc":
		s.alter(name, args)
	case "healthy":
		s.allHealthy(name)
	case "deployment":
		s.actOn(name, words[2])
	case "deployments":
		s.showDeployments(name)
	case "now":
		s.now = s.now.Add(settings("d:"+strings.TrimPrefix(name, "+")).duration("d", "0s").Std())
	case "config":
		s.configure(name, args)
	case "pool":
		on := args["oversubscribe"] == "true"
		s.pools[name] = &api.NodePool{Name: name, SchedulerConfiguration: &api.NodePoolSchedulerConfig{
			SchedulerAlgorithm: args["algorithm"], MemoryOversubscriptionEnabled: &on}}
	case "allocs":
		s.showAllocs(name)
	case "evals":
		s.showEvals(name)
	default:
		s.schedule(words[0], name)
	}
}

func (s *script) configure(name string, args spec) {
	args = merge(args, parseSpec([]string{name}))
	if a := args["algorithm"]; a != "" {
		s.config.SchedulerAlgorithm = a
	}
	if a := args["oversubscribe"]; a != "" {
		s.config.MemoryOversubscriptionEnabled = a == "true"
	}
	if a := args["preempt"]; a != "" {
		s.config.PreemptionConfig = api.PreemptionConfig{
			SystemSchedulerEnabled: strings.Contains(a, "system"), SysBatchSchedulerEnabled: strings.Contains(a, "sysbatch"),
			BatchSchedulerEnabled: strings.Contains(a, "batch"), ServiceSchedulerEnabled: strings.Contains(a, "service"),
		}
	}
}

// alter changes the last allocation that has the name: client=STATUS,
// health=healthy|unhealthy, started=AGO and the transitions migrate, vacate,
// reschedule (forced) and may_reschedule. on=NODE and v=VERSION choose.
func (s *script) alter(name string, args spec) {
	yes := true
	var last *api.Allocation
	for _, id := range slices.Sorted(maps.Keys(s.allocs)) {
		a := s.allocs[id]
		if a.Name == name && (args["on"] == "" || a.NodeID == args["on"]) && (args["v"] == "" || args["v"] == fmt.Sprint(a.Job.Version)) {
			last = a
		}
	}
	if last == nil {
		s.t.Fatalf("no allocation %q", name)
	}
	s.change(last.ID, func(a *api.Allocation) {
		if v := args["client"]; v != "" {
			a.ClientStatus = v
		}
		if args["started"] != "" {
			a.TaskStates = map[string]*api.TaskState{"t": {State: api.TaskStateRunning, StartedAt: s.now.Add(-args.duration("started", "0s").Std())}}
		}
		t := &a.DesiredTransition
		for key, to := range map[string]**bool{"migrate": &t.Migrate, "vacate": &t.MigrateDisablePlacement, "reschedule": &t.ForceReschedule, "may_reschedule": &t.Reschedule} {
			if args[key] != "" {
				*to = &yes
			}
		}
	})
	if v := args["health"]; v != "" {
		s.health(last.ID, v == "healthy")
	}
}

func (s *script) allHealthy(job string) {
	for _, id := range slices.Clone(s.byJob[api.NamespacedID{Namespace: api.DefaultNamespace, ID: job}]) {
		if a := s.allocs[id]; !a.Terminal() && a.ClientStatus != api.AllocClientUnknown {
			s.change(id, func(a *api.Allocation) { a.ClientStatus = api.AllocClientRunning })
			if a.DeploymentID != "" {
				s.health(id, true)
			}
		}
	}
}

func (s *script) actOn(job, verb string) {
	d := s.active(job)
	if d == nil {
		s.t.Fatalf("job %s has no deployment that goes on", job)
	}
	switch verb {
	case "promote":
		s.promote(d.ID)
	case "pause":
		s.endDeployment(d.ID, api.DeploymentPaused)
	case "resume":
		s.endDeployment(d.ID, api.DeploymentRunning)
	case "fail":
		s.endDeployment(d.ID, api.DeploymentFailed)
	case "succeed":
		s.endDeployment(d.ID, api.DeploymentSuccessful)
	default:
		s.t.Fatalf("unknown verb %q", verb)
	}
}

func (s *script) showDeployments(job string) {
	for d := range s.DeploymentsByJob(api.DefaultNamespace, job) {
		s.printf("%s of v%d %s: %s", d.ID, d.JobVersion, d.Status, d.StatusDescription)
		for _, g := range slices.Sorted(maps.Keys(d.TaskGroups)) {
			x, placed, healthy := d.TaskGroups[g], 0, 0
			for _, a := range s.allocs {
				if a.DeploymentID == d.ID && a.TaskGroup == g {
					placed++
					if a.DeploymentStatus.IsHealthy() && !a.Terminal() {
						healthy++
					}
				}
			}
			s.printf("  %s: total %d, canaries %d, promoted %t, placed %d, healthy %d", g, x.DesiredTotal, x.DesiredCanaries, x.Promoted, placed, healthy)
		}
	}
}

func (s *script) schedule(how, name string) {
	e := &api.Evaluation{Namespace: api.DefaultNamespace, JobID: name, Type: s.jobSpecs[name]["type"]}
	if j, ok := s.Job(api.DefaultNamespace, name); ok {
		e = s.eval(j)
	} else {
		e.ID = s.newID("eval")
	}
	switch how {
	case "run", "scores":
	case "wake":
		for x := range s.EvaluationsByJob(api.DefaultNamespace, name) {
			if x.Status == api.EvalBlocked {
				e = x
			}
		}
	case "due":
		s.due(name)
		return
	case "plan":
		e.AnnotatePlan = true
	default:
		s.t.Fatalf("unknown command %q", how)
	}
	s.process(e, how)
}

// due evaluates what waited for a time that has come.
func (s *script) due(job string) {
	for e := range s.EvaluationsByJob(api.DefaultNamespace, job) {
		if e.Status == api.EvalPending && !e.WaitUntil.IsZero() && !e.WaitUntil.After(s.now) {
			s.printf("due: %s", e.TriggeredBy)
			s.process(e, "run")
		}
	}
}

func (s *script) process(e *api.Evaluation, how string) {
	before := s.usage()
	p, err := s.evaluate(e)
	if err != nil {
		s.t.Fatal(err)
	}
	s.show(p, how == "scores")
	if how == "plan" {
		if after := s.usage(); after != before {
			s.t.Errorf("a dry run changed the fleet:\n%s\n%s", before, after)
		}
		return
	}
	s.apply(p)
	if err := s.check(); err != nil {
		s.t.Errorf("after evaluating %s: %v", e.JobID, err)
	}
}

func (s *script) show(p *scheduler.Plan, scores bool) {
	s.showRollout(p)
	for _, x := range p.Stops {
		if x.Keep {
			s.printf("note %s on %s%s%s%s", x.Alloc.Name, x.Alloc.NodeID, optional(": %s", x.Description), optional(" (client status %s)", x.ClientStatus), optional("; looked at again by %s", x.FollowupEval))
			continue
		}
		s.printf("stop %s on %s%s%s", x.Alloc.Name, x.Alloc.NodeID, optional(": %s", x.Description), optional(" (client status %s)", x.ClientStatus))
	}
	for _, u := range p.InPlace {
		a := u.Alloc
		s.printf("update %s on %s in place", a.Name, a.NodeID)
	}
	for i := range p.Placements {
		x := &p.Placements[i]
		ports := ""
		for _, m := range x.Ports {
			ports += fmt.Sprintf(" %s=%s:%d", m.Label, m.HostIP, m.Value)
			if m.To != 0 {
				ports += fmt.Sprintf("→%d", m.To)
			}
		}
		previous := ""
		if x.Previous != "" {
			previous = fmt.Sprintf(" for %s on %s", s.allocs[x.Previous].Name, s.allocs[x.Previous].NodeID)
		}
		for _, id := range x.Preempted {
			previous += " after " + s.allocs[id].Name
		}
		s.printf("place %s%s[%d]%s on %s%s%s%s", x.Group.Name, optional("@v%s", older(p, x)), x.Index, mark(x), x.Node.ID, ports+granted(x.Grants), previous, history(x))
		if scores {
			s.metric(x.Metrics)
		}
	}
	for _, g := range slices.Sorted(maps.Keys(p.Eval.FailedTGAllocs)) {
		m := p.Eval.FailedTGAllocs[g]
		s.printf("not placed %s: %d more alike", g, m.CoalescedFailures)
		s.metric(m)
	}
	if p.Annotations != nil {
		for _, g := range slices.Sorted(maps.Keys(p.Annotations.DesiredTGUpdates)) {
			s.printf("would %s:%s", g, strings.ReplaceAll(strings.Trim(fmt.Sprintf("%+v", nonZero(p.Annotations.DesiredTGUpdates[g])), "map[]"), ":", " "))
		}
	}
	for _, e := range p.NewEvals {
		if !e.WaitUntil.IsZero() {
			s.printf("%s waits for %s: %s", e.ID, e.WaitUntil.Sub(s.now), e.TriggeredBy)
		}
	}
	s.printf("evaluation %s%s%s", p.Eval.Status, optional(" queued %s", tally(p.Eval.QueuedAllocations)), blocked(p))
}

// showRollout tells of deployments that begin, change and end.
func (s *script) showRollout(p *scheduler.Plan) {
	for _, x := range p.Ended {
		s.printf("deployment %s %s: %s", x.ID, x.Status, x.Description)
	}
	if d := p.Deployment; d != nil {
		verb := "begins"
		if s.deployments[d.ID] != nil {
			verb = "changes"
		}
		s.printf("deployment %s %s: %s", d.ID, verb, d.StatusDescription)
		for _, g := range slices.Sorted(maps.Keys(d.TaskGroups)) {
			x := d.TaskGroups[g]
			s.printf("  %s: total %d, canaries %d", g, x.DesiredTotal, x.DesiredCanaries)
		}
	}
}

func older(p *scheduler.Plan, x *scheduler.Placement) string {
	if x.Job.Version == p.Job.Version {
		return ""
	}
	return fmt.Sprint(x.Job.Version)
}

func mark(x *scheduler.Placement) string {
	switch {
	case x.Canary:
		return " as canary"
	case x.Deployment:
		return " in deployment"
	}
	return ""
}

func history(x *scheduler.Placement) string {
	if x.Reschedule == nil {
		return ""
	}
	out := " after"
	for _, e := range x.Reschedule.Events {
		out += fmt.Sprintf(" %s(%s)", e.PrevNodeID, e.Delay)
	}
	return out
}

func (s *script) metric(m *api.AllocationMetric) {
	s.printf("  nodes: %d in pool, %d evaluated, %d filtered, %d exhausted%s", m.NodesInPool, m.NodesEvaluated, m.NodesFiltered, m.NodesExhausted, optional("; available %s", tally(m.NodesAvailable)))
	s.counts("filtered by", m.ConstraintFiltered)
	s.counts("filtered classes", m.ClassFiltered)
	s.counts("short of", m.DimensionExhausted)
	s.counts("short classes", m.ClassExhausted)
	for _, n := range m.ScoreMetaData {
		line := fmt.Sprintf("  %s %.4f", n.NodeID, n.NormScore)
		for _, k := range slices.Sorted(maps.Keys(n.Scores)) {
			line += fmt.Sprintf(" %s=%.4f", k, n.Scores[k])
		}
		s.printf("%s", line)
	}
}

func (s *script) counts(what string, counts map[string]int) {
	if len(counts) > 0 {
		s.printf("  %s %s", what, tally(counts))
	}
}

func (s *script) showAllocs(job string) {
	for a := range s.AllocationsByJob(api.DefaultNamespace, job) {
		var memory []string
		for _, t := range slices.Sorted(maps.Keys(a.AllocatedResources.Tasks)) {
			if m := a.AllocatedResources.Tasks[t].Memory; m.MemoryMaxMB > 0 {
				memory = append(memory, fmt.Sprintf(" %s %d–%d MB", t, m.MemoryMB, m.MemoryMaxMB))
			}
		}
		s.printf("%s v%d on %s: desired %s, client %s%s", a.Name, a.Job.Version, a.NodeID, a.DesiredStatus, a.ClientStatus, strings.Join(memory, ","))
	}
}

func (s *script) showEvals(job string) {
	for e := range s.EvaluationsByJob(api.DefaultNamespace, job) {
		switch {
		case e.Status == api.EvalBlocked || e.Status == api.EvalCancelled:
			s.printf("%s %s: %s", e.ID, e.Status, e.StatusDescription)
		case e.Status == api.EvalPending && !e.WaitUntil.IsZero():
			s.printf("%s %s: %s in %s", e.ID, e.Status, e.TriggeredBy, e.WaitUntil.Sub(s.now))
		}
	}
}

func blocked(p *scheduler.Plan) string {
	e := p.Eval
	for _, x := range p.NewEvals {
		if x.Status == api.EvalBlocked {
			e = x
		}
	}
	if e.Status != api.EvalBlocked {
		return ""
	}
	out := "; waits in " + e.ID
	if e.EscapedComputedClass {
		out += " for any node"
	}
	for _, class := range slices.Sorted(maps.Keys(e.ClassEligibility)) {
		out += fmt.Sprintf(" %s=%t", class, e.ClassEligibility[class])
	}
	return out
}

func optional(format, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf(format, value)
}

func tally(counts map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%q %d", k, counts[k]))
	}
	return strings.Join(out, ", ")
}

func nonZero(u *api.DesiredUpdates) map[string]uint64 {
	all := map[string]uint64{
		" ignore": u.Ignore, " place": u.Place, " migrate": u.Migrate, " stop": u.Stop, " in-place": u.InPlaceUpdate,
		" destructive": u.DestructiveUpdate, " reschedule": u.RescheduleNow,
		" reschedule-later": u.RescheduleLater, " canary": u.Canary, " disconnect": u.Disconnect, " reconnect": u.Reconnect,
	}
	maps.DeleteFunc(all, func(_ string, n uint64) bool { return n == 0 })
	return all
}
