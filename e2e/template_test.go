package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seraihq/serai/e2e/rig"
)

// reports is a task that says when it starts, and what it has been told.
const reports = `trap 'echo hup; cat $NOMAD_TASK_DIR/signal.txt' HUP
echo "start $GREETING"
while true; do sleep 0.05; done`

// templated is a task with a template of every change mode, each of a file of
// the allocation's.
const templated = `
template {
  data        = "noop {{ file \"/alloc/data/noop\" }}{{ if eq (env \"attr.kernel.name\") \"linux\" | not }} on no node{{ end }}"
  destination = "local/noop.txt"
  change_mode = "noop"
  perms       = "0640"
}
template {
  data          = "signal {{ file \"/alloc/data/signal\" }}"
  destination   = "local/signal.txt"
  change_mode   = "signal"
  change_signal = "SIGHUP"
  splay         = "0s"
}
template {
  data        = "script {{ file \"/alloc/data/script\" }}"
  destination = "local/script.txt"
  change_mode = "script"
  splay       = "0s"
  change_script {
    command       = "/bin/sh"
    args          = ["-c", "cp $${NOMAD_TASK_DIR}/script.txt $${NOMAD_TASK_DIR}/copied.txt"]
    timeout       = "20s"
    fail_on_error = true
  }
}
template {
  source      = "$${NOMAD_ALLOC_DIR}/data/env.tpl"
  destination = "secrets/app.env"
  env         = true
  splay       = "0s"
}
kill_timeout = "500ms"`

func TestTemplatesChangeARunningTask(t *testing.T) {
	t.Parallel()
	for _, driver := range survivors(t) {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			templatesOf(t, start(t, rig.Options{}), driver)
		})
	}
}

func templatesOf(t *testing.T, a *agent, driver string) {
	t.Helper()
	id := a.jobID(t)
	a.register(t, strings.ReplaceAll(oneGroup(id, "service", shell("t", reports, templated)), `"raw_exec"`, strconv.Quote(driver)))
	alloc := a.waitOne(t, id, "pending").ID
	dir := a.allocDir(t, alloc)
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, "alloc/data", name)
		if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(name, want string) {
		t.Helper()
		eventually(t, name+" is rendered", func() (bool, string) {
			b, err := os.ReadFile(filepath.Join(dir, "t", name))
			return string(b) == want, fmt.Sprintf("%q %v", b, err)
		})
	}
	tells := func(text string) {
		t.Helper()
		eventually(t, "the event "+text, func() (bool, string) {
			state := a.alloc(t, alloc).TaskStates["t"]
			if state == nil {
				return false, "the task has no state yet"
			}
			var all []string
			for _, e := range state.Events {
				all = append(all, e.DisplayMessage)
			}
			list := strings.Join(all, "\n")
			return strings.Contains(list, text), list
		})
	}

	tells(`waits for the file "/alloc/data/noop"`)
	for _, name := range []string{"noop", "signal", "script"} {
		put(name, "1\n")
	}
	tells("waits for the file \"${NOMAD_ALLOC_DIR}/data/env.tpl\"")
	put("env.tpl", "GREETING={{ env \"NOMAD_TASK_NAME\" }}-1\n")
	a.waitOne(t, id, "running")
	a.waitLogs(t, alloc, "t", "stdout", "start t-1\n")
	holds("local/noop.txt", "noop 1\n")
	pids := a.reporter(t, alloc)

	put("noop", "2\n")
	holds("local/noop.txt", "noop 2\n")
	put("signal", "2\n")
	a.waitLogs(t, alloc, "t", "stdout", "hup\nsignal 2\n")
	tells("Task being sent signal SIGHUP: Template re-rendered")
	put("script", "2\n")
	holds("local/copied.txt", "script 2\n")
	tells("Template ran script /bin/sh")
	if now := a.reporter(t, alloc); now != pids {
		t.Errorf("the task was restarted: process %d, was %d", now, pids)
	}

	// An agent that is killed and comes back changes nothing, and tells what has
	// changed meanwhile.
	starts := a.alloc(t, alloc).TaskStates["t"].Restarts
	for _, round := range []string{"3", "4"} {
		if err := a.Kill(); err != nil {
			t.Fatal(err)
		}
		if round == "4" {
			put("signal", "4\n")
		}
		a.launch(t)
		put("noop", round+"\n")
		holds("local/noop.txt", "noop "+round+"\n")
		if now := a.reporter(t, alloc); now != pids || a.alloc(t, alloc).TaskStates["t"].Restarts != starts {
			t.Errorf("after a restart of the agent: process %d, was %d", now, pids)
		}
	}
	a.waitLogs(t, alloc, "t", "stdout", "hup\nsignal 4\n")

	put("env.tpl", "GREETING=again\n")
	a.waitLogs(t, alloc, "t", "stdout", "start again\n")
	tells("Template with change_mode restart re-rendered")
	if n := strings.Count(a.logs(t, alloc, "t", "stdout"), "start "); n != 2 {
		t.Errorf("%d starts, want 2", n)
	}
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitStatus(t, id, "complete", 1)
	a.leavesNothing(t, syscall.SIGTERM)
}

// reporter finds the process of the task that reports.
func (a *agent) reporter(t *testing.T, alloc string) (pid int) {
	t.Helper()
	eventually(t, "a process of the allocation", func() (bool, string) {
		n := 0
		for _, p := range a.Processes() {
			group, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.PID))
			if p.Kind == "task" && (a.belongs(p.PID, alloc) || strings.Contains(string(group), alloc)) && strings.Contains(p.Command, "GREETING") {
				pid, n = p.PID, n+1
			}
		}
		return n == 1, fmt.Sprint(a.Processes())
	})
	return pid
}

// A template without end costs its own task, and no other.
func TestTemplateWithoutEnd(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	bad, good := a.jobID(t), a.jobID(t)
	a.register(t, oneGroup(bad, "batch", noRestart, shell("t", "true", `template {
  data        = "{{ range loop 1000000 }}{{ indent 1000000 \"x\" }}{{ end }}"
  destination = "local/x"
}`)))
	a.register(t, oneGroup(good, "batch", shell("t", "cat $NOMAD_TASK_DIR/x; echo end", `template {
  data        = "{{ env \"NOMAD_JOB_ID\" }}\n"
  destination = "local/x"
}`)))
	done := a.waitOne(t, good, "complete")
	if out := a.logs(t, done.ID, "t", "stdout"); out != good+"\nend\n" {
		t.Errorf("output %q", out)
	}
	failed := a.waitOne(t, bad, "failed")
	events := a.alloc(t, failed.ID).TaskStates["t"].Events
	text := ""
	for _, e := range events {
		text += e.DisplayMessage + "\n"
	}
	if !strings.Contains(text, `template "local/x": it needs more than the 256 MiB of memory`) && !strings.Contains(text, "takes longer") {
		t.Errorf("events:\n%s", text)
	}
	a.leavesNothing(t, syscall.SIGINT)
}

// What cannot work is refused when it is submitted, with its place.
func TestTemplateRefused(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	file := filepath.Join(a.Dir, "bad.hcl")
	job := oneGroup("bad", "batch", shell("t", "true", `template {
  data        = "{{ key \"a/b\" }}"
  destination = "../../etc/passwd"
}`))
	if err := os.WriteFile(file, []byte(job), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"job", "run", file}, {"job", "validate", file}, {"job", "plan", file}} {
		r := a.cli(t, args...)
		for _, want := range []string{`uses the function "key", which needs Consul`, "must be a file in the task's directory", "bad.hcl:"} {
			if r.code == 0 || !strings.Contains(r.stderr+r.stdout, want) {
				t.Errorf("%v: %q is not in %v", args, want, r)
			}
		}
	}
	a.leavesNothing(t, syscall.SIGINT)
}
