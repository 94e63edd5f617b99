package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

// syncedRun starts a command whose output is read while it runs.
func (a *agent) syncedRun(t *testing.T, args ...string) (out *syncBuffer, wait func() int) {
	t.Helper()
	cmd := a.command(t.Context(), args...)
	out = &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return out, func() int {
		_ = cmd.Wait() // the exit code says it
		return cmd.ProcessState.ExitCode()
	}
}

// TestDeploymentCommands takes a job through a canary that is promoted, a
// version that fails and is rolled back, a pause and a revert to a tag.
func TestDeploymentCommands(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	version := func(canary int, script string) string {
		return jobFile(t, oneGroup(id, "service", "count = 2", fmt.Sprintf("update {\n max_parallel = 2\n min_healthy_time = \"500ms\"\n progress_deadline = \"0s\"\n auto_revert = true\n canary = %d\n}", canary),
			noRestart, shell("t", script, `kill_timeout = "1s"`)))
	}
	deployment := func() string {
		var latest nomad.Deployment
		a.okJSON(t, &latest, "job", "deployments", "-latest", "-json", id)
		return latest.ID[:8]
	}
	if r := a.cli(t, "job", "run", version(0, "exec sleep 600")); r.code != 0 || !strings.Contains(r.stdout, `finished with status "successful"`) {
		t.Fatalf("run: %v", r)
	}
	if out := a.ok(t, "job", "tag", "apply", "-name", "golden", "-version", "0", id); !strings.Contains(out, "golden") {
		t.Errorf("tag: %s", out)
	}

	out, wait := a.syncedRun(t, "job", "run", version(1, "exec sleep 601"))
	eventually(t, "the command says how to promote", func() (bool, string) {
		return strings.Contains(out.String(), "serai deployment promote "), out.String()
	})
	short := deployment()
	if text := a.ok(t, "deployment", "status", short); !strings.Contains(text, "requires manual promotion") || !strings.Contains(text, "Canaries") {
		t.Errorf("status:\n%s", text)
	}
	if r := a.cli(t, "deployment", "promote", "-group", "nope", short); r.code != 1 {
		t.Errorf("promote of no group: %v", r)
	}
	if r := a.cli(t, "job", "promote", "-group", "g", id); r.code != 0 || !strings.Contains(r.stdout, "successful") {
		t.Errorf("promote: %v", r)
	}
	if code := wait(); code != 0 {
		t.Errorf("run with a canary: exit code %d\n%s", code, out)
	}
	if r := a.cli(t, "job", "promote", id); r.code != 1 || !strings.Contains(r.all(), "nothing to promote") {
		t.Errorf("promote again: %v", r)
	}

	r := a.cli(t, "job", "run", version(0, "echo ouch >&2; exit 3"))
	for _, want := range []string{"Failed due to unhealthy allocations", "rolled back: version 3", "Exit Code: 3", "ouch"} {
		if r.code != 2 || !strings.Contains(r.stdout, want) {
			t.Errorf("run of a bad version does not say %q: %v; want exit code 2", want, r)
		}
	}
	if out := a.ok(t, "job", "history", id); !strings.Contains(out, "golden") || !strings.Contains(out, "Stable") {
		t.Errorf("history:\n%s", out)
	}

	a.ok(t, "job", "run", "-detach", version(1, "exec sleep 602"))
	eventually(t, "a deployment that goes on", func() (bool, string) {
		text := a.ok(t, "job", "status", id)
		return strings.Contains(text, "Latest Deployment") && strings.Contains(text, "requires manual promotion"), text
	})
	short = deployment()
	a.ok(t, "deployment", "pause", short)
	if text := a.ok(t, "deployment", "list", "-filter", fmt.Sprintf("JobID == %q", id)); !strings.Contains(text, "paused") {
		t.Errorf("list of a paused one:\n%s", text)
	}
	a.ok(t, "deployment", "resume", "-detach", short)
	if r := a.cli(t, "deployment", "fail", short); r.code != 0 || !strings.Contains(r.stdout, "failed") {
		t.Errorf("fail: %v", r)
	}
	if r := a.cli(t, "deployment", "status", "-monitor", short); r.code != 2 {
		t.Errorf("monitor of one that failed: %v; want exit code 2", r)
	}
	if r := a.cli(t, "job", "revert", id, "golden"); r.code != 0 || !strings.Contains(r.stdout, "successful") {
		t.Errorf("revert: %v", r)
	}
	if r := a.cli(t, "job", "restart", "-reschedule", "-batch-size", "50%", "-yes", id); r.code != 0 || !strings.Contains(r.stdout, "Finished") {
		t.Errorf("restart -reschedule: %v", r)
	}
	if out := a.ok(t, "job", "allocs", id); strings.Count(out, "running") < 2 {
		t.Errorf("after the restart:\n%s", out)
	}
}

func TestDispatchCommands(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	hcl := strings.Replace(oneGroup(id, "batch", noRestart, shell("t", "test $NOMAD_META_who = me")), "type =", "parameterized {\n payload = \"required\"\n meta_required = [\"who\"]\n}\ntype =", 1)
	if r := a.cli(t, "job", "run", jobFile(t, hcl)); r.code != 0 || !strings.Contains(r.stdout, "serai job dispatch -meta who=… "+id+" <file>") {
		t.Errorf("run: %v; want the command that dispatches it", r)
	}
	if r := a.cliIn(t, "payload", "job", "dispatch", "-wait", "-meta", "who=me", id, "-"); r.code != 0 || !strings.Contains(r.stdout, "Dispatched Job ID") {
		t.Errorf("dispatch -wait: %v", r)
	}
	if r := a.cliIn(t, "payload", "job", "dispatch", "-wait", "-meta", "who=you", id, "-"); r.code != 2 || !strings.Contains(r.stdout, "Exit Code: 1") {
		t.Errorf("dispatch -wait of one that fails: %v; want exit code 2", r)
	}
	if r := a.cliIn(t, "payload", "job", "dispatch", id, "-"); r.code != 1 || !strings.Contains(r.all(), "who") {
		t.Errorf("dispatch without meta: %v; want exit code 1", r)
	}
	if r := a.cliIn(t, string(bytes.Repeat([]byte("x"), 17<<10)), "job", "dispatch", "-meta", "who=me", id, "-"); r.code != 1 || !strings.Contains(r.all(), "16 KiB") {
		t.Errorf("dispatch of too much: %v; want exit code 1", r)
	}
	if out := a.ok(t, "job", "status", id); strings.Count(out, id+"/dispatch-") != 2 {
		t.Errorf("status shows no children:\n%s", out)
	}

	clock := a.jobID(t)
	hcl = strings.Replace(oneGroup(clock, "batch", shell("t", "true")), "type =", "periodic {\n crons = [\"0 3 1 1 *\"]\n}\ntype =", 1)
	if r := a.cli(t, "job", "run", jobFile(t, hcl)); r.code != 0 || !strings.Contains(r.stdout, "next launch time: ") {
		t.Errorf("run: %v; want the next launch", r)
	}
	if r := a.cli(t, "job", "periodic", "force", clock); r.code != 0 || !strings.Contains(r.stdout, "is complete") {
		t.Errorf("force: %v", r)
	}
	if out := a.ok(t, "job", "status", clock); !strings.Contains(out, clock+"/periodic-") || !strings.Contains(out, "Next Periodic Launch") {
		t.Errorf("status:\n%s", out)
	}
	for _, parent := range []string{id, clock} {
		a.ok(t, "job", "stop", "-purge", "-yes", parent)
	}
}

func TestDrainCommands(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t", "exec sleep 600", `kill_timeout = "1s"`)))
	a.waitOne(t, id, "running")
	if r := a.cli(t, "node", "drain", "-self", "-enable", "-deadline", "1s", "-m", "new kernel"); r.code != 0 || !strings.Contains(r.stdout, "has left: complete") || !strings.Contains(r.stdout, "all allocations have left") {
		t.Errorf("drain: %v", r)
	}
	if out := a.ok(t, "node", "status", "-self"); !strings.Contains(out, "new kernel") || !strings.Contains(out, "ineligible") {
		t.Errorf("status after the drain:\n%s", out)
	}
	a.ok(t, "node", "drain", "-self", "-disable")
	a.waitAllocs(t, id, "it is placed again", func(s stubs) bool { return len(s.with("running")) == 1 })
	a.ok(t, "node", "meta", "apply", "rack=b7")
	if out := a.ok(t, "node", "meta", "read"); !strings.Contains(out, "b7") {
		t.Errorf("meta:\n%s", out)
	}
	if r := a.cli(t, "eval", "delete", "-yes", "-filter", "Status == \"complete\""); r.code != 1 || !strings.Contains(r.all(), "paused") {
		t.Errorf("delete while the broker runs: %v", r)
	}
	a.ok(t, "operator", "scheduler", "set-config", "-pause-eval-broker=true", "-preempt-service-scheduler=true")
	if out := a.ok(t, "operator", "scheduler", "get-config"); strings.Count(out, "true") < 2 {
		t.Errorf("configuration:\n%s", out)
	}
	a.ok(t, "operator", "scheduler", "set-config", "-pause-eval-broker=false")
}
