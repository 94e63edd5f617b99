package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	nomad "github.com/hashicorp/nomad/api"
)

func TestClusterCommands(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	eval := a.register(t, oneGroup(id, "batch", mockTask("t", `run_for = "10ms"`))).EvalID
	a.waitOne(t, id, "complete")
	var nodes []nomad.NodeListStub
	a.get(t, "/v1/nodes", &nodes)
	node := nodes[0].ID

	// What each command prints as text, as JSON and by a template.
	for _, c := range []struct {
		args []string
		want string
		tmpl string
	}{
		{[]string{"eval", "status", eval[:8]}, "complete", "{{.Status}}"},
		{[]string{"node", "status", node[:8]}, "ready", "{{.Status}}"},
		{[]string{"node", "status", "-self"}, "ready", "{{.Status}}"},
		{[]string{"node", "status"}, "ready", "{{range .}}{{.Status}}{{end}}"},
		{[]string{"server", "members"}, "alive", "{{range .}}{{.Status}}{{end}}"},
		{[]string{"operator", "scheduler", "get-config"}, "binpack", "{{.SchedulerConfig.SchedulerAlgorithm}}"},
	} {
		if out := a.ok(t, c.args...); !strings.Contains(out, c.want) {
			t.Errorf("%v lacks %q:\n%s", c.args, c.want, out)
		}
		var into any
		n := len(c.args)
		flags := []string{"-json"}
		if last := c.args[n-1]; n == 3 && !strings.HasPrefix(last, "-") && c.args[1] == "status" {
			a.okJSON(t, &into, append(append([]string{}, c.args[:2]...), append(flags, last)...)...)
			if out := a.ok(t, c.args[0], c.args[1], "-t", c.tmpl, last); strings.TrimSpace(out) != c.want {
				t.Errorf("%v -t: %q", c.args, out)
			}
			continue
		}
		a.okJSON(t, &into, append(append([]string{}, c.args...), flags...)...)
		if out := a.ok(t, append(append([]string{}, c.args...), "-t", c.tmpl)...); !strings.Contains(out, c.want) {
			t.Errorf("%v -t: %q", c.args, out)
		}
	}
	if out := a.ok(t, "eval", "list", "-job", id); !strings.Contains(out, eval[:8]) {
		t.Errorf("eval list:\n%s", out)
	}
	var evals []nomad.Evaluation
	if a.okJSON(t, &evals, "eval", "list", "-json", "-status", "complete", "-per-page", "1"); len(evals) != 1 {
		t.Errorf("eval list -per-page 1: %d", len(evals))
	}
	if out := a.ok(t, "status"); !strings.Contains(out, id) {
		t.Errorf("status:\n%s", out)
	}
	if out := a.ok(t, "status", eval[:8]); !strings.Contains(out, "complete") {
		t.Errorf("status of an evaluation:\n%s", out)
	}
	if out := a.ok(t, "version"); !strings.Contains(strings.ToLower(out), "serai") {
		t.Errorf("version: %q", out)
	}
	for _, flag := range []string{"-version", "--version", "-v"} {
		if r := a.cli(t, flag); r.code != 0 || !strings.Contains(strings.ToLower(r.all()), "serai") {
			t.Errorf("%s: %v", flag, r)
		}
	}
	if r := a.cli(t, "ui"); !strings.Contains(r.all(), a.Address) {
		t.Errorf("ui: %v", r)
	}
	if out := a.ok(t, "node", "status", "-verbose", node); !strings.Contains(out, "kernel.name") || !strings.Contains(out, node) {
		t.Errorf("node status -verbose:\n%s", out)
	}
	if out := a.ok(t, "node", "status", "-stats", node[:6]); !strings.Contains(out, "CPU") {
		t.Errorf("node status -stats:\n%s", out)
	}
}

func TestOperatorCommands(t *testing.T) {
	t.Parallel()
	a := shared(t)
	var leader string
	a.okJSON(t, &leader, "operator", "api", "/v1/status/leader")
	if leader == "" {
		t.Error("operator api: no leader")
	}
	id := a.jobID(t)
	body := file(t, "job.json", `{"Job":{"ID":"`+id+`","Type":"batch","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"mock_driver","Config":{"run_for":"10ms"},"Resources":{"CPU":1,"MemoryMB":10}}]}]}}`)
	text, _ := os.ReadFile(body)
	r := a.cliIn(t, string(text), "operator", "api", "-X", "PUT", "/v1/jobs")
	if r.code != 0 || !strings.Contains(r.stdout, "EvalID") {
		t.Fatalf("operator api with a body: %v", r)
	}
	a.waitOne(t, id, "complete")
	if r := a.cli(t, "operator", "api", "-filter", `ID == "`+id+`"`, "/v1/jobs"); !strings.Contains(r.stdout, id) {
		t.Errorf("operator api -filter: %v", r)
	}
	if r := a.cli(t, "operator", "api", "-dryrun", "-X", "DELETE", "-H", "X-A: b", "/v1/job/x"); r.code != 0 || !strings.Contains(r.all(), "DELETE") {
		t.Errorf("operator api -dryrun: %v", r)
	}
	if r := a.cli(t, "operator", "scheduler", "set-config", "-scheduler-algorithm", "nonsense"); r.code != 1 {
		t.Errorf("set-config of nonsense: %v", r)
	}
	if r := a.cli(t, "operator", "scheduler", "set-config", "-scheduler-algorithm=binpack", "-memory-oversubscription=true"); r.code != 0 {
		t.Errorf("set-config: %v", r)
	}
	config, _, err := a.nomad.Operator().SchedulerGetConfiguration(nil)
	if err != nil || !config.SchedulerConfig.MemoryOversubscriptionEnabled {
		t.Errorf("after set-config: %+v %v", config, err)
	}
}

func TestMonitorCommand(t *testing.T) {
	t.Parallel()
	a := shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := a.command(ctx, "monitor", "-log-level", "debug")
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := a.jobID(t)
	n := 0
	eventually(t, "a line of the log", func() (bool, string) {
		if n++; n%20 == 1 {
			a.register(t, strings.Replace(oneGroup(id, "batch", mockTask("t", `run_for = "10ms"`)), "type =", "meta {\n n = \""+strings.Repeat("x", n%7)+"\"\n}\n type =", 1))
		}
		return strings.Contains(out.String(), "\n"), out.String()
	})
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if ctx.Err() != nil {
		t.Error("monitor does not end at Ctrl-C")
	}
}

func TestUnknownCommandsAndHelp(t *testing.T) {
	t.Parallel()
	a := shared(t)
	if r := a.cli(t, "jbo", "run"); r.code == 0 || !strings.Contains(r.all(), "job") {
		t.Errorf("an unknown command: %v; want the nearest name", r)
	}
	if r := a.cli(t, "job", "run", "-detahc", "x"); r.code == 0 || !strings.Contains(r.all(), "detach") {
		t.Errorf("an unknown flag: %v; want the nearest name", r)
	}
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}, {"job", "-h"}, {"job", "run", "-h"}, {"alloc", "exec", "--help"}, {"operator", "snapshot", "save", "-help"}} {
		if r := a.cli(t, args...); !strings.Contains(r.all(), "sage") {
			t.Errorf("%v: %v", args, r)
		}
	}
	if r := a.cli(t, "job", "run"); r.code != 1 {
		t.Errorf("run without a file: %v", r)
	}
	cmd := a.command(t.Context(), "job", "status")
	cmd.Env = append(cmd.Env, "SERAI_ADDR=http://127.0.0.1:1")
	if r := finish(t, cmd); r.code != 1 || !strings.Contains(r.all(), "127.0.0.1:1") {
		t.Errorf("no agent there: %v", r)
	}
	cmd = a.command(t.Context(), "job", "status")
	for i, kv := range cmd.Env {
		if strings.HasPrefix(kv, "SERAI_ADDR=") {
			cmd.Env[i] = "NOMAD_ADDR=" + a.Address
		}
	}
	if r := finish(t, cmd); r.code != 0 {
		t.Errorf("NOMAD_ADDR as fall-back: %v", r)
	}
	cmd = a.command(t.Context(), "status", "-address", a.Address)
	cmd.Env = append(cmd.Env, "SERAI_ADDR=http://127.0.0.1:1")
	if r := finish(t, cmd); r.code != 0 {
		t.Errorf("-address over the environment: %v", r)
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	a := shared(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.hcl", "data_dir = \"/var/lib/serai\"\nserver {\n  enabled = true\n  bootstrap_expect = 1\n}\n")
	if r := a.cli(t, "config", "validate", good); r.code != 0 {
		t.Errorf("a good file: %v", r)
	}
	bad := write("bad.hcl", "data_dir = \"/var/lib/serai\"\nserver {\n  enabeld = true\n}\nclinet {\n}\nports {\n  http = 99999999\n}\n")
	r := a.cli(t, "config", "validate", bad)
	for _, want := range []string{"bad.hcl:3", "enabeld", "enabled", "bad.hcl:5", "clinet", "client"} {
		if r.code != 1 || !strings.Contains(r.all(), want) {
			t.Errorf("a bad file: %v; want %q", r, want)
		}
	}
	// The agent refuses it in the same way.
	if r := a.cli(t, "agent", "-config", bad); r.code != 1 || !strings.Contains(r.all(), "bad.hcl:3") {
		t.Errorf("an agent with a bad file: %v", r)
	}
	if r := a.cli(t, "agent"); r.code != 1 {
		t.Errorf("an agent that is neither server nor client: %v", r)
	}
	json := write("good.json", `{"data_dir": "/var/lib/serai", "server": {"enabled": true, "bootstrap_expect": 1}}`)
	if r := a.cli(t, "config", "validate", json); r.code != 0 {
		t.Errorf("JSON: %v", r)
	}
}

func TestJobRunShowsWhy(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	r := a.cli(t, "job", "run", jobFile(t, oneGroup(id, "batch", noRestart, shell("t", "echo broken; exit 9"))))
	if !strings.Contains(r.all(), id) {
		t.Errorf("run of a job that fails: %v", r)
	}
	a.waitOne(t, id, "failed")
	if out := a.ok(t, "job", "status", id); !strings.Contains(out, "failed") {
		t.Errorf("status:\n%s", out)
	}
}
