package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"
)

// register parses an HCL job on the agent and registers it through Nomad's client.
func (a *agent) register(t *testing.T, hcl string) *nomad.JobRegisterResponse {
	t.Helper()
	job := a.parse(t, hcl)
	resp, _, err := a.nomad.Jobs().Register(job, nil)
	if err != nil {
		t.Fatalf("register: %v\n%s", err, hcl)
	}
	return resp
}

func (a *agent) parse(t *testing.T, hcl string) *nomad.Job {
	t.Helper()
	job, err := a.nomad.Jobs().ParseHCL(hcl, true)
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, hcl)
	}
	return job
}

// shell is a raw_exec task that runs a shell script. Further lines go into the task block.
func shell(name, script string, more ...string) string {
	return fmt.Sprintf(`
task %q {
  driver = "raw_exec"
  config {
    command = "/bin/sh"
    args    = ["-c", <<-EOS
%s
EOS
    ]
  }
  resources {
    cpu    = 10
    memory = 32
  }
  %s
}
`, name, escape(script), strings.Join(more, "\n"))
}

// escape keeps ${ and %{ of a script from being read as HCL templates.
func escape(script string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(script)
}

// oneGroup is a job of one group. A service that says nothing of updates is
// deployed at once, so that no test waits for what it is not about.
func oneGroup(id, kind string, body ...string) string {
	text := strings.Join(body, "\n")
	if kind == "service" && !strings.Contains(text, "update {") {
		text = atOnce + text
	}
	return fmt.Sprintf("job %q {\n type = %q\n group \"g\" {\n%s\n}\n}\n", id, kind, text)
}

// atOnce makes a deployment of a group end as soon as its tasks run.
const atOnce = `update {
  max_parallel     = 10
  min_healthy_time = "0s"
}
`

// noRestart makes a group fail at once.
const noRestart = `restart {
  attempts = 0
  mode     = "fail"
}
reschedule {
  attempts  = 0
  unlimited = false
}`

type stubs []*nomad.AllocationListStub

func (s stubs) String() string {
	var b strings.Builder
	for _, a := range s {
		fmt.Fprintf(&b, "%.8s %s v%d desired %s client %s:", a.ID, a.Name, a.JobVersion, a.DesiredStatus, a.ClientStatus)
		for name, ts := range a.TaskStates {
			fmt.Fprintf(&b, " [%s %s failed=%t", name, ts.State, ts.Failed)
			for _, e := range ts.Events {
				fmt.Fprintf(&b, "; %s %s", e.Type, e.DisplayMessage)
			}
			b.WriteString("]")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// with gives the allocations in a client status.
func (s stubs) with(status string) stubs {
	return slices.DeleteFunc(slices.Clone(s), func(a *nomad.AllocationListStub) bool { return a.ClientStatus != status })
}

// waitAllocs watches a job's allocations until ok holds.
func (a *agent) waitAllocs(t *testing.T, job, what string, ok func(stubs) bool) stubs {
	t.Helper()
	deadline := time.Now().Add(patience)
	q := &nomad.QueryOptions{WaitTime: 2 * time.Second}
	var last stubs
	for {
		list, meta, err := a.nomad.Jobs().Allocations(job, true, q.WithContext(t.Context()))
		if err != nil {
			t.Fatalf("allocations of %s: %v", job, err)
		}
		if last = list; ok(last) {
			return last
		}
		if time.Now().After(deadline) {
			evals, _, _ := a.nomad.Jobs().Evaluations(job, nil)
			var why strings.Builder
			for _, e := range evals {
				fmt.Fprintf(&why, "evaluation %.8s %s %s %s", e.ID, e.TriggeredBy, e.Status, e.StatusDescription)
				for tg, m := range e.FailedTGAllocs {
					fmt.Fprintf(&why, " [%s: %+v]", tg, *m)
				}
				why.WriteString("\n")
			}
			t.Fatalf("job %s: not within %s: %s; allocations:\n%s%s", job, patience, what, last, &why)
		}
		q.WaitIndex = meta.LastIndex
	}
}

// waitStatus waits for n allocations in a client status and gives them.
func (a *agent) waitStatus(t *testing.T, job, status string, n int) stubs {
	t.Helper()
	return a.waitAllocs(t, job, fmt.Sprintf("%d allocations %s", n, status), func(s stubs) bool {
		return len(s.with(status)) == n
	}).with(status)
}

// waitOne waits until the job's one allocation is in a client status.
func (a *agent) waitOne(t *testing.T, job, status string) *nomad.AllocationListStub {
	t.Helper()
	return a.waitStatus(t, job, status, 1)[0]
}

// alloc reads an allocation.
func (a *agent) alloc(t *testing.T, id string) *nomad.Allocation {
	t.Helper()
	alloc, _, err := a.nomad.Allocations().Info(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return alloc
}

// waitEval waits until an evaluation is in a status.
func (a *agent) waitEval(t *testing.T, id, status string) *nomad.Evaluation {
	t.Helper()
	var eval *nomad.Evaluation
	eventually(t, "evaluation "+id+" "+status, func() (bool, string) {
		var err error
		eval, _, err = a.nomad.Evaluations().Info(id, nil)
		if err != nil {
			return false, err.Error()
		}
		return eval.Status == status, eval.Status + " " + eval.StatusDescription
	})
	return eval
}

// logs reads all of a task's output up to now.
func (a *agent) logs(t *testing.T, alloc, task, kind string) string {
	t.Helper()
	r := a.do(t, http.MethodGet, fmt.Sprintf("/v1/client/fs/logs/%s?task=%s&type=%s&plain=true", alloc, task, kind), nil)
	if r.status != http.StatusOK {
		return fmt.Sprintf("logs: %d %s", r.status, r.body)
	}
	return string(r.body)
}

// waitLogs waits until a task's output holds a text.
func (a *agent) waitLogs(t *testing.T, alloc, task, kind, text string) string {
	t.Helper()
	var out string
	eventually(t, fmt.Sprintf("%q in the %s of %s", text, kind, task), func() (bool, string) {
		out = a.logs(t, alloc, task, kind)
		return strings.Contains(out, text), out
	})
	return out
}

// events gives the types of a task's events in order.
func events(a *nomad.Allocation, task string) []string {
	var out []string
	if ts := a.TaskStates[task]; ts != nil {
		for _, e := range ts.Events {
			out = append(out, e.Type)
		}
	}
	return out
}

// event gives the last event of a type.
func event(a *nomad.Allocation, task, kind string) *nomad.TaskEvent {
	var found *nomad.TaskEvent
	if ts := a.TaskStates[task]; ts != nil {
		for _, e := range ts.Events {
			if e.Type == kind {
				found = e
			}
		}
	}
	return found
}

// read drains a stream that must end.
func read(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type allocStub = nomad.AllocationListStub
