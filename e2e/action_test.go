package e2e

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

const actions = `
action "greet" {
  command = "/bin/sh"
  args    = ["-c", "read name; echo $0 $name in $${NOMAD_TASK_NAME}; exit 3", "hello"]
}
action "both" {
  command = "/bin/echo"
  args    = ["$${NOMAD_TASK_NAME}"]
}
kill_timeout = "500ms"`

func TestActions(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	id := a.jobID(t)
	idle := "exec sleep 1000"
	a.register(t, oneGroup(id, "service", shell("one", idle, actions), shell("two", idle, `action "both" {
  command = "/bin/echo"
  args    = ["second"]
}`)))
	alloc := a.waitOne(t, id, "running")

	r := a.cliIn(t, "you\n", "job", "action", "-job="+id, "greet")
	if r.code != 3 || r.stdout != "hello you in one\n" {
		t.Errorf("greet: %v", r)
	}
	for _, args := range [][]string{
		{"action", "-job=" + id, "-task=two", "both"}, {"job", "action", "-job=" + id, "-alloc=" + alloc.ID[:8], "-group=g", "-task=two", "both"},
	} {
		if r := a.cli(t, args...); r.code != 0 || r.stdout != "second\n" {
			t.Errorf("%v: %v", args, r)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"has several actions", []string{"-job=" + id, "both"}},
		{"it has greet (group g, task one), both (group g, task one), both (group g, task two)", []string{"-job=" + id, "none"}},
		{"no job with", []string{"-job=nothing", "both"}},
		{"name the job", []string{"both"}},
	} {
		if r := a.cli(t, append([]string{"job", "action"}, c.args...)...); r.code == 0 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%v: %v, want %q", c.args, r, c.want)
		}
	}

	// As Nomad's own client runs it; and not through a job or namespace that is not the allocation's.
	full := a.alloc(t, alloc.ID)
	run := func(job, namespace, action string) (int, string, error) {
		var out, errs bytes.Buffer
		code, err := a.nomad.Jobs().ActionExec(t.Context(), full, job, "one", false, nil, action, strings.NewReader("you\n"), &out, &errs, nil, &nomad.QueryOptions{Namespace: namespace})
		return code, out.String() + errs.String(), err
	}
	if code, out, err := run(id, "default", "greet"); code != 3 || out != "hello you in one\n" || err != nil {
		t.Errorf("through Nomad's client: %d %q %v", code, out, err)
	}
	for _, c := range [][3]string{{"other", "default", "greet"}, {id, "elsewhere", "greet"}, {id, "default", "none"}} {
		if code, out, err := run(c[0], c[1], c[2]); err == nil || out != "" {
			t.Errorf("%v: %d %q %v", c, code, out, err)
		}
	}
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitStatus(t, id, "complete", 1)
	a.leavesNothing(t, syscall.SIGINT)
}
