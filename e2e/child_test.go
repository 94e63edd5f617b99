package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

// children lists what a job has started, newest first.
func (a *agent) children(t *testing.T, job string) []*nomad.JobListStub {
	t.Helper()
	all, _, err := a.nomad.Jobs().PrefixList(job + "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.ParentID != job {
			t.Errorf("%s has the parent %q", c.ID, c.ParentID)
		}
		t.Cleanup(func() { _, _, _ = a.nomad.Jobs().Deregister(c.ID, true, nil) })
	}
	return all
}

func (a *agent) run(t *testing.T, hcl string) {
	t.Helper()
	if r := a.cli(t, "job", "run", "-detach", jobFile(t, hcl)); r.code != 0 {
		t.Fatalf("job run: %v", r)
	}
}

// TestDispatch sends payloads through the API in both forms; the tasks read
// them from the file that they ask for.
func TestDispatch(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	hcl := strings.Replace(oneGroup(id, "batch", shell("t", `echo "got $(cat local/in/put.txt) for $NOMAD_META_who of $NOMAD_JOB_PARENT_ID"`, "dispatch_payload {\n file = \"in/put.txt\"\n}")),
		"type =", "parameterized {\n payload = \"required\"\n meta_required = [\"who\"]\n}\ntype =", 1)
	a.run(t, hcl)
	jobs := a.nomad.Jobs()
	resp, _, err := jobs.Dispatch(id, map[string]string{"who": "me"}, []byte("a payload"), "pre", nil)
	if err != nil || !strings.HasPrefix(resp.DispatchedJobID, id+"/dispatch-pre-") {
		t.Fatalf("dispatch: %+v, %v", resp, err)
	}
	alloc := a.waitOne(t, resp.DispatchedJobID, "complete")
	a.waitLogs(t, alloc.ID, "t", "stdout", "got a payload for me of "+id)
	if again := a.do(t, http.MethodPut, "/v1/job/"+id+"/dispatch", map[string]any{"Payload": base64.StdEncoding.EncodeToString([]byte("x"))}); again.status != 400 || !strings.Contains(string(again.body), `"who"`) {
		t.Errorf("without meta: %d %s", again.status, again.body)
	}
	token := map[string]any{"Payload": base64.StdEncoding.EncodeToString([]byte("x")), "Meta": map[string]string{"who": "you"}}
	first := a.do(t, http.MethodPut, "/v1/job/"+id+"/dispatch?idempotency_token=once", token)
	second := a.do(t, http.MethodPut, "/v1/job/"+id+"/dispatch?idempotency_token=once", token)
	if first.status != 200 || string(first.body) != string(second.body) {
		t.Errorf("with one token: %d %s, then %d %s", first.status, first.body, second.status, second.body)
	}
	if n := len(a.children(t, id)); n != 2 {
		t.Errorf("%d children", n)
	}
	if job, _, err := jobs.Info(resp.DispatchedJobID, nil); err != nil || !job.Dispatched || string(job.Payload) != "a payload" {
		t.Errorf("the child: %+v, %v", job, err)
	}
	if r := a.do(t, http.MethodPut, "/v1/job/"+id+"/dispatch", map[string]any{"Payload": base64.StdEncoding.EncodeToString(make([]byte, 16385)), "Meta": map[string]string{"who": "x"}}); r.status != 400 || !strings.Contains(string(r.body), "16384") {
		t.Errorf("a large payload: %d %s", r.status, r.body)
	}
}

// TestDispatchRawPayload posts bytes that are no JSON.
func TestDispatchRawPayload(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.run(t, strings.Replace(oneGroup(id, "batch", shell("t", `od -An -c local/p`, "dispatch_payload {\n file = \"p\"\n}")), "type =", "parameterized {\n}\ntype =", 1))
	post := func(body string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, a.Address+"/v1/job/"+id+"/dispatch/payload", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/octet-stream")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text := make([]byte, 4096)
		n, _ := resp.Body.Read(text)
		return resp.StatusCode, string(text[:n])
	}
	if status, text := post(strings.Repeat("[", 300) + "\x00\xff"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if status, text := post(strings.Repeat("x", 16385)); status != 400 || !strings.Contains(text, "16384 bytes") {
		t.Errorf("a large body: %d %s", status, text)
	}
	alloc := a.waitOne(t, a.children(t, id)[0].ID, "complete")
	a.waitLogs(t, alloc.ID, "t", "stdout", `\0 377`)
}

// TestPeriodicEachSecond runs a job by a clock of seconds, forces one more run,
// and stops it: what it started is over, and nothing follows.
func TestPeriodicEachSecond(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true, Config: "server {\n job_children_max = 3\n}"})
	id := a.jobID(t)
	a.run(t, strings.Replace(oneGroup(id, "batch", shell("t", "echo tick")), "type =", "periodic {\n crons = [\"* * * * * * *\"]\n}\ntype =", 1))
	begin := time.Now()
	eventually(t, "four runs have ended", func() (bool, string) {
		s, _, err := a.nomad.Jobs().Summary(id, nil)
		if err != nil || s.Children == nil {
			return false, fmt.Sprint(err)
		}
		return s.Children.Dead >= 4, fmt.Sprintf("%+v", s.Children)
	})
	if d := time.Since(begin); d < 2*time.Second {
		t.Errorf("four seconds of runs within %s", d)
	}
	if eval, _, err := a.nomad.Jobs().PeriodicForce(id, nil); err != nil || len(eval) != 36 {
		t.Errorf("force: %q, %v", eval, err)
	}
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the newest three are kept", func() (bool, string) {
		kept := a.children(t, id)
		for _, c := range kept {
			if c.Status != "dead" {
				return false, c.ID + " " + c.Status
			}
		}
		return len(kept) <= 3, fmt.Sprint(len(kept))
	})
	if r := a.cli(t, "job", "run", "-detach", jobFile(t, strings.Replace(oneGroup(id, "batch", shell("t", "true")), "type =", "periodic {\n cron = \"*/15 25 * * *\"\n}\ntype =", 1))); r.code != 1 || !strings.Contains(r.all(), `field 2 (hour), column 6: "25"`) {
		t.Errorf("a bad hour: %v", r)
	}
}
