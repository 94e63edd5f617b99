package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	nomad "github.com/hashicorp/nomad/api"
)

// jobFile writes a job to a file.
func jobFile(t *testing.T, hcl string) string {
	t.Helper()
	return file(t, "job.nomad.hcl", hcl)
}

func TestJobValidate(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	good := jobFile(t, oneGroup(id, "batch", shell("t", "true")))
	if r := a.cli(t, "job", "validate", good); r.code != 0 || !strings.Contains(r.all(), "successful") {
		t.Errorf("a good job: %v", r)
	}
	// Single and double dash, and the top-level short form.
	if r := a.cli(t, "validate", "--hcl2-strict=true", good); r.code != 0 {
		t.Errorf("validate with a double dash: %v", r)
	}
	bad := jobFile(t, `job "x" {
  type = "sevice"
  group "g" {
    count = -1
    task "t" {
      driver = "raw_exec"
      resources {
        memory = 1
      }
    }
    task "t" {
      driver = ""
    }
  }
}`)
	r := a.cli(t, "job", "validate", bad)
	if r.code != 1 {
		t.Errorf("a bad job: %v", r)
	}
	for _, want := range []string{"sevice", "count", "memory", "driver"} {
		if !strings.Contains(r.all(), want) {
			t.Errorf("%q is not among the problems: %v", want, r)
		}
	}
}

func TestJobPlanExitCodes(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	hcl := oneGroup(id, "service", shell("t", "exec sleep 600"))
	path := jobFile(t, hcl)
	if r := a.cli(t, "job", "plan", path); r.code != 1 || !strings.Contains(r.stdout, id) || !strings.Contains(r.stdout, "+") {
		t.Errorf("plan of a new job: %v; want exit code 1 and a diff", r)
	}
	if list, _, err := a.nomad.Jobs().List(&nomad.QueryOptions{Prefix: id}); err != nil || len(list) != 0 {
		t.Errorf("plan registered a job: %v %v", list, err)
	}
	a.register(t, hcl)
	a.waitOne(t, id, "running")
	if r := a.cli(t, "job", "plan", path); r.code != 0 {
		t.Errorf("plan of the same job: %v; want exit code 0", r)
	}
	changed := jobFile(t, strings.Replace(hcl, "sleep 600", "sleep 700", 1))
	r := a.cli(t, "job", "plan", changed)
	if r.code != 1 || !strings.Contains(r.stdout, "1 create/destroy update") || strings.Count(r.stdout, "forces create/destroy") != 1 || !strings.Contains(r.stdout, "sleep 700") {
		t.Errorf("plan of a destructive change: %v", r)
	}
	more := jobFile(t, strings.Replace(hcl, "group \"g\" {", "group \"g\" {\n count = 3\n", 1))
	if r := a.cli(t, "plan", more); r.code != 1 || !strings.Contains(r.stdout, "2 create") {
		t.Errorf("plan of a count change: %v; want 2 create", r)
	}
	var plan nomad.JobPlanResponse
	jr := a.cli(t, "job", "plan", "-json-output", changed)
	if err := json.Unmarshal([]byte(jr.stdout), &plan); err != nil || plan.Diff == nil || plan.Annotations == nil {
		t.Logf("plan -json-output: %v %v", err, jr) // the flag's form is not settled by Nomad's documents
	}
	if r := a.cli(t, "job", "plan", jobFile(t, "job {")); r.code != 255 {
		t.Errorf("plan of a broken job: %v; want exit code 255", r)
	}
	if r := a.cli(t, "job", "plan", filepath.Join(t.TempDir(), "absent.hcl")); r.code != 255 {
		t.Errorf("plan of no file: %v; want exit code 255", r)
	}
}

func TestJobRunFollowsAndExits(t *testing.T) {
	t.Parallel()
	a := shared(t)
	t.Run("ends with 0", func(t *testing.T) {
		t.Parallel()
		id := a.jobID(t)
		r := a.cli(t, "job", "run", jobFile(t, oneGroup(id, "service", shell("t", "exec sleep 600"))))
		if r.code != 0 || !strings.Contains(r.stdout, "complete") {
			t.Errorf("run: %v", r)
		}
		a.waitOne(t, id, "running")
	})
	t.Run("ends with 2 when nothing fits", func(t *testing.T) {
		t.Parallel()
		id := a.jobID(t)
		r := a.cli(t, "job", "run", jobFile(t, oneGroup(id, "service", "constraint {\n attribute = \"${attr.kernel.name}\"\n value = \"plan9\"\n}", shell("t", "exec sleep 600"))))
		if r.code != 2 || !strings.Contains(r.all(), "plan9") {
			t.Errorf("run: %v; want exit code 2 and the constraint", r)
		}
	})
	t.Run("ends with 1 for a broken file", func(t *testing.T) {
		t.Parallel()
		if r := a.cli(t, "job", "run", jobFile(t, `job "x" {`)); r.code != 1 || !strings.Contains(r.all(), "job.nomad.hcl:1") {
			t.Errorf("run: %v; want exit code 1 and the place", r)
		}
	})
	t.Run("detach prints the evaluation", func(t *testing.T) {
		t.Parallel()
		id := a.jobID(t)
		r := a.cliIn(t, oneGroup(id, "batch", shell("t", "true")), "job", "run", "-detach", "-")
		if r.code != 0 || !strings.Contains(r.stdout, "valuation") {
			t.Errorf("run -detach -: %v", r)
		}
		a.waitOne(t, id, "complete")
	})
	t.Run("output prints the job", func(t *testing.T) {
		t.Parallel()
		id := a.jobID(t)
		var out struct{ Job nomad.Job }
		a.okJSON(t, &out, "job", "run", "-output", jobFile(t, oneGroup(id, "batch", shell("t", "true"))))
		if out.Job.ID == nil || *out.Job.ID != id {
			t.Errorf("run -output: %+v", out)
		}
		if _, _, err := a.nomad.Jobs().Info(id, nil); err == nil {
			t.Error("run -output registered the job")
		}
		// What it prints can be run again.
		text, _ := json.Marshal(out)
		if r := a.cli(t, "job", "run", "-detach", "-json", file(t, "job.json", string(text))); r.code != 0 {
			t.Errorf("run -json: %v", r)
		}
		a.waitOne(t, id, "complete")
	})
	t.Run("check-index", func(t *testing.T) {
		t.Parallel()
		id := a.jobID(t)
		path := jobFile(t, oneGroup(id, "batch", shell("t", "true")))
		if r := a.cli(t, "job", "run", "-detach", "-check-index", "99999", path); r.code != 1 {
			t.Errorf("a wrong check-index: %v; want exit code 1", r)
		}
		if r := a.cli(t, "job", "run", "-detach", "-check-index", "0", path); r.code != 0 {
			t.Errorf("check-index 0 for a new job: %v", r)
		}
		if r := a.cli(t, "job", "run", "-detach", "-check-index", "0", path); r.code != 1 {
			t.Errorf("check-index 0 for a job that exists: %v; want exit code 1", r)
		}
	})
}

func TestJobVariables(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	path := jobFile(t, fmt.Sprintf(`
variable "words" {
  type    = list(string)
  default = ["a"]
}
variable "who" {
  type = string
  validation {
    condition     = length(var.who) > 2
    error_message = "who is too short"
  }
}
variable "secret" {
  type      = string
  sensitive = true
  default   = "hidden-value"
}
locals {
  line = join("-", concat(var.words, [upper(var.who)]))
}
job %q {
  type = "batch"
  dynamic "group" {
    for_each = var.words
    labels   = ["g-${group.value}"]
    content {
      task "t" {
        driver = "raw_exec"
        config {
          command = "/bin/echo"
          args    = [local.line]
        }
      }
    }
  }
}`, id))
	if r := a.cli(t, "job", "validate", path); r.code != 1 || !strings.Contains(r.all(), "who") {
		t.Errorf("without a value for who: %v", r)
	}
	if r := a.cli(t, "job", "validate", "-var", "who=x", path); r.code != 1 || !strings.Contains(r.all(), "who is too short") {
		t.Errorf("with a value that validation refuses: %v", r)
	}
	if r := a.cli(t, "job", "validate", "-var", "who=bob", "-var", "nobody=1", path); r.code != 1 || !strings.Contains(r.all(), "nobody") {
		t.Errorf("with an undeclared variable: %v", r)
	}
	values := file(t, "values.hcl", "words = [\"x\", \"y\"]\n")
	cmd := a.command(t.Context(), "job", "run", "-detach", "-var-file", values, path)
	cmd.Env = append(cmd.Env, "NOMAD_VAR_who=from-env")
	if r := finish(t, cmd); r.code != 0 {
		t.Fatalf("run: %v", r)
	}
	for _, s := range a.waitStatus(t, id, "complete", 2) {
		if out := a.logs(t, s.ID, "t", "stdout"); out != "x-y-FROM-ENV\n" {
			t.Errorf("%s prints %q", s.Name, out)
		}
	}
	var sub nomad.JobSubmission
	a.get(t, "/v1/job/"+id+"/submission?version=0", &sub)
	if sub.Format != "hcl2" || !strings.Contains(sub.Source, "dynamic \"group\"") {
		t.Errorf("submission: %+v", sub)
	}
}

func TestJobReadCommands(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	hcl := oneGroup(id, "service", shell("t", "exec sleep 600", `kill_timeout = "1s"`))
	if r := a.cli(t, "job", "run", "-detach", jobFile(t, hcl)); r.code != 0 {
		t.Fatalf("run: %v", r)
	}
	s := a.waitOne(t, id, "running")

	t.Run("status", func(t *testing.T) {
		for _, args := range [][]string{{"job", "status", id}, {"status", id}, {"job", "status", "-evals", "-all-allocs", "-verbose", id}} {
			out := a.ok(t, args...)
			for _, want := range []string{id, "service", "running", s.ID[:8]} {
				if !strings.Contains(out, want) {
					t.Errorf("%v lacks %q:\n%s", args, want, out)
				}
			}
			if strings.Contains(out, "\x1b[") {
				t.Errorf("%v prints colour to a pipe", args)
			}
		}
		if out := a.ok(t, "job", "status"); !strings.Contains(out, id) {
			t.Errorf("the list lacks the job:\n%s", out)
		}
		if out := a.ok(t, "job", "status", "-short", id); strings.Contains(out, s.ID[:8]) {
			t.Errorf("-short shows allocations:\n%s", out)
		}
		var one any
		a.okJSON(t, &one, "job", "status", "-json", id)
		var list []any
		a.okJSON(t, &list, "job", "status", "-json")
		if out := a.ok(t, "job", "status", "-t", "{{range .}}{{.ID}} {{end}}"); !strings.Contains(out, id) {
			t.Errorf("-t prints %q", out)
		}
		if r := a.cli(t, "job", "status", "no-such-job"); r.code != 1 || !strings.Contains(r.all(), "no-such-job") {
			t.Errorf("status of no job: %v", r)
		}
	})
	t.Run("inspect", func(t *testing.T) {
		var out struct{ Job nomad.Job }
		a.okJSON(t, &out, "job", "inspect", id)
		if *out.Job.ID != id || len(out.Job.TaskGroups) != 1 {
			t.Errorf("inspect: %+v", out.Job)
		}
		if out := a.ok(t, "job", "inspect", "-hcl", id); !strings.Contains(out, "group \"g\"") {
			t.Errorf("inspect -hcl: %q", out)
		}
		if out := a.ok(t, "inspect", "-t", "{{.ID}}", id); strings.TrimSpace(out) != id {
			t.Errorf("inspect -t: %q", out)
		}
	})
	t.Run("allocs", func(t *testing.T) {
		if out := a.ok(t, "job", "allocs", id); !strings.Contains(out, s.ID[:8]) || strings.Contains(out, s.ID) {
			t.Errorf("allocs:\n%s", out)
		}
		if out := a.ok(t, "job", "allocs", "-verbose", id); !strings.Contains(out, s.ID) {
			t.Errorf("allocs -verbose:\n%s", out)
		}
		var list []nomad.AllocationListStub
		a.okJSON(t, &list, "job", "allocs", "-json", id)
		if len(list) != 1 || list[0].ID != s.ID {
			t.Errorf("allocs -json: %+v", list)
		}
		if out := a.ok(t, "job", "allocs", "-t", "{{range .}}{{.ID}}{{end}}", id); strings.TrimSpace(out) != s.ID {
			t.Errorf("allocs -t: %q", out)
		}
	})
	t.Run("history and revert", func(t *testing.T) {
		a.register(t, strings.Replace(hcl, "sleep 600", "sleep 601", 1))
		a.waitAllocs(t, id, "version 1 runs", func(s stubs) bool {
			r := s.with("running")
			return len(r) == 1 && r[0].JobVersion == 1
		})
		out := a.ok(t, "job", "history", id)
		if !strings.Contains(out, "Version") || strings.Index(out, "1") > strings.LastIndex(out, "0") {
			t.Errorf("history:\n%s", out)
		}
		if out := a.ok(t, "job", "history", "-p", id); !strings.Contains(out, "sleep 601") {
			t.Errorf("history -p shows no diff:\n%s", out)
		}
		var versions []any
		a.okJSON(t, &versions, "job", "history", "-json", id)
		if len(versions) != 2 {
			t.Errorf("%d versions", len(versions))
		}
		if r := a.cli(t, "job", "revert", "-detach", id, "0"); r.code != 0 {
			t.Errorf("revert: %v", r)
		}
		a.waitAllocs(t, id, "version 2 runs", func(s stubs) bool {
			r := s.with("running")
			return len(r) == 1 && r[0].JobVersion == 2
		})
		if r := a.cli(t, "job", "revert", "-detach", id, "77"); r.code != 1 {
			t.Errorf("revert to no version: %v", r)
		}
	})
	t.Run("scale and restart", func(t *testing.T) {
		if r := a.cli(t, "job", "scale", "-detach", id, "g", "2"); r.code != 0 {
			t.Fatalf("scale: %v", r)
		}
		two := a.waitStatus(t, id, "running", 2)
		if r := a.cli(t, "job", "scale", "-detach", id, "nothing", "2"); r.code != 1 {
			t.Errorf("scale of no group: %v", r)
		}
		if r := a.cli(t, "job", "restart", "-yes", id); r.code != 0 {
			t.Fatalf("restart: %v", r)
		}
		a.waitAllocs(t, id, "both were restarted", func(s stubs) bool {
			n := 0
			for _, x := range s.with("running") {
				for _, y := range two {
					if x.ID == y.ID && x.TaskStates["t"].Restarts == 1 && x.TaskStates["t"].State == "running" {
						n++
					}
				}
			}
			return n == 2
		})
	})
	t.Run("eval", func(t *testing.T) {
		if out := a.ok(t, "job", "eval", "-detach", id); !strings.Contains(out, "eval") {
			t.Errorf("job eval: %q", out)
		}
	})
	t.Run("stop", func(t *testing.T) {
		if r := a.cli(t, "job", "stop", "-detach", "-yes", id); r.code != 0 {
			t.Errorf("stop: %v", r)
		}
		a.waitStatus(t, id, "running", 0)
		if out := a.ok(t, "job", "status", id); !strings.Contains(out, "dead") {
			t.Errorf("status after stop:\n%s", out)
		}
		if r := a.cli(t, "job", "stop", "-purge", "-yes", id); r.code != 0 {
			t.Errorf("stop -purge: %v", r)
		}
		if r := a.cli(t, "job", "status", id); r.code != 1 {
			t.Errorf("status after purge: %v", r)
		}
		if r := a.cli(t, "job", "stop", "-yes", id); r.code != 1 {
			t.Errorf("stop of no job: %v", r)
		}
	})
}

func TestJobInitAndFmt(t *testing.T) {
	t.Parallel()
	a := shared(t)
	dir := t.TempDir()
	in := func(args ...string) result {
		cmd := a.command(t.Context(), args...)
		cmd.Dir = dir
		return finish(t, cmd)
	}
	if r := in("job", "init"); r.code != 0 {
		t.Fatalf("init: %v", r)
	}
	written, _ := filepath.Glob(filepath.Join(dir, "*.hcl"))
	if len(written) != 1 {
		t.Fatalf("init wrote %v", written)
	}
	if r := in("job", "validate", written[0]); r.code != 0 {
		t.Errorf("what init wrote is not valid: %v", r)
	}
	if r := in("job", "init"); r.code != 1 {
		t.Errorf("init over an existing file: %v; want exit code 1", r)
	}
	if r := in("job", "init", "-short", "short.nomad.hcl"); r.code != 0 {
		t.Errorf("init -short: %v", r)
	}
	if r := in("fmt", "-check", written[0]); r.code != 0 {
		t.Errorf("what init wrote is not formatted: %v", r)
	}
	ugly := filepath.Join(dir, "ugly.nomad.hcl")
	os.WriteFile(ugly, []byte("job \"x\" {\ntype=\"batch\"\n      priority   = 50\n}\n"), 0o600)
	if r := in("fmt", "-check", ugly); r.code == 0 {
		t.Errorf("fmt -check of an ugly file: %v", r)
	}
	if r := in("job", "fmt", ugly); r.code != 0 {
		if r = in("fmt", ugly); r.code != 0 {
			t.Errorf("fmt: %v", r)
		}
	}
	text, _ := os.ReadFile(ugly)
	if want := "job \"x\" {\n  type     = \"batch\"\n  priority = 50\n}\n"; string(text) != want {
		t.Errorf("fmt gives %q", text)
	}
}
