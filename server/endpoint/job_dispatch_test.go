package endpoint

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

func parameterized(b *bench, id string, p api.ParameterizedJobConfig) {
	b.job("default", id, func(j *api.Job) {
		j.Type, j.ParameterizedJob = api.JobTypeBatch, &p
	})
}

func dispatchOf(id string, change func(*api.JobDispatchRequest)) *api.JobDispatchRequest {
	req := &api.JobDispatchRequest{ID: id}
	if change != nil {
		change(req)
	}
	return req
}

func TestDispatchChecksWhatItIsGiven(t *testing.T) {
	b := newBench(t)
	parameterized(b, "need", api.ParameterizedJobConfig{Payload: "required", MetaRequired: []string{"a", "b"}, MetaOptional: []string{"c"}})
	parameterized(b, "bare", api.ParameterizedJobConfig{Payload: "forbidden"})
	b.job("default", "plain", nil)
	meta := map[string]string{"a": "1", "b": "2"}
	for name, c := range map[string]struct {
		req  *api.JobDispatchRequest
		want string
	}{
		"nothing": {dispatchOf("need", nil), "payload is not provided but required"},
		"keys":    {dispatchOf("need", nil), `required meta keys: "a", "b"`},
		"foreign keys": {dispatchOf("need", func(r *api.JobDispatchRequest) {
			r.Payload, r.Meta = []byte("x"), map[string]string{"a": "", "b": "", "x": "", "y": ""}
		}), `unpermitted metadata keys: "x", "y"`},
		"forbidden payload": {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.Payload = []byte("x") }), "forbidden"},
		"large payload":     {dispatchOf("need", func(r *api.JobDispatchRequest) { r.Payload, r.Meta = make([]byte, 16385), meta }), "payload of 16385 bytes exceeds maximum size of 16384 bytes"},
		"priority":          {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.Priority = 101 }), "priority must be from 1 to 100"},
		"plain job":         {dispatchOf("plain", nil), "not a parameterized job"},
		"unknown job":       {dispatchOf("nope", nil), "not found"},
		"bad template":      {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = "{{ .JobID" }), "id_prefix_template"},
		"unknown value":     {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = "{{ .Nope }}" }), "Nope"},
		"endless template":  {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = "{{ range 9999999999 }}x{{ end }}" }), "is not allowed"},
		"greedy template":   {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = `{{ printf "%999999999d" 1 }}` }), `function "printf" is not allowed`},
		"nested templates":  {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = `{{ define "a" }}x{{ end }}` }), "define templates"},
		"long prefix":       {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = strings.Repeat("x", 200) }), "more than 128 bytes"},
		"ID with a space":   {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = "a b" }), "spaces"},
		"ID with dots":      {dispatchOf("bare", func(r *api.JobDispatchRequest) { r.IdPrefixTemplate = "x/../y" }), `".."`},
	} {
		if _, _, err := call(b, api.JobDispatch, c.req); err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, api.ErrInvalid) && !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := b.Store.View().JobCount(); n != 3 {
		t.Errorf("%d jobs: something was dispatched", n)
	}
	b.apply(&fsm.JobDeregister{Namespace: "default", ID: "bare"})
	if _, _, err := call(b, api.JobDispatch, dispatchOf("bare", nil)); err == nil || !strings.Contains(err.Error(), "is stopped") {
		t.Errorf("stopped: %v", err)
	}
}

func TestDispatchNamesItsChildren(t *testing.T) {
	b := newBench(t)
	parameterized(b, "p", api.ParameterizedJobConfig{Payload: "optional", MetaOptional: []string{"who", "a-b"}})
	for template, want := range map[string]string{
		"":                        `^p/dispatch-\d+-[0-9a-f]{8}$`,
		"hello":                   `^p/dispatch-hello-\d+-[0-9a-f]{8}$`,
		"{{ .Meta.who }}":         `^p/dispatch-me-\d+-[0-9a-f]{8}$`,
		`{{ index .Meta "a-b" }}`: `^p/dispatch-x-\d+-[0-9a-f]{8}$`,
		"of-{{.JobID}}":           `^p/dispatch-of-p-\d+-[0-9a-f]{8}$`,
	} {
		resp, meta, err := call(b, api.JobDispatch, dispatchOf("p", func(r *api.JobDispatchRequest) {
			r.IdPrefixTemplate, r.Meta, r.Payload = template, map[string]string{"who": "me", "a-b": "x"}, []byte{0, 1}
		}))
		if err != nil || !regexp.MustCompile(want).MatchString(resp.DispatchedJobID) || resp.EvalID == "" || resp.EvalCreateIndex != meta.Index || resp.JobCreateIndex != meta.Index {
			t.Errorf("%q: %+v, %v", template, resp, err)
		}
		if c, ok := b.Store.View().Job("default", resp.DispatchedJobID); !ok || c.ParentID != "p" || len(c.Payload) != 2 || c.Meta["who"] != "me" {
			t.Errorf("%q: child %+v", template, c)
		}
	}
	resp, _, err := call(b, api.JobDispatchRaw, &api.JobDispatchRawRequest{ID: "p", Payload: []byte("raw")})
	if c, ok := b.Store.View().Job("default", resp.DispatchedJobID); err != nil || !ok || string(c.Payload) != "raw" {
		t.Errorf("raw: %+v, %v", c, err)
	}
}

func TestDispatchWithATokenHappensOnce(t *testing.T) {
	b := newBench(t)
	parameterized(b, "p", api.ParameterizedJobConfig{Payload: "optional"})
	answers := make([]api.JobDispatchResponse, 20)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			var err error
			answers[i], _, err = call(b, api.JobDispatch, dispatchOf("p", func(r *api.JobDispatchRequest) { r.IdempotencyToken = "once" }))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("%+v and %+v", a, answers[0])
		}
	}
	if n := b.Store.View().JobCount(); n != 2 {
		t.Errorf("%d jobs", n)
	}
}

func TestPeriodicForce(t *testing.T) {
	b := newBench(t)
	b.job("default", "p", func(j *api.Job) {
		j.Type, j.Periodic = api.JobTypeBatch, &api.PeriodicConfig{Enabled: true, Spec: "@yearly", TimeZone: "UTC"}
	})
	b.job("default", "plain", nil)
	seen := map[string]bool{}
	for range 3 { // in one second: each has a name
		resp, meta, err := call(b, api.JobPeriodicForce, &api.JobPeriodicForceRequest{ID: "p"})
		if err != nil || resp.EvalID == "" || resp.EvalCreateIndex != meta.Index {
			t.Fatalf("%+v, %v", resp, err)
		}
		e, _ := b.Store.View().Evaluation(resp.EvalID)
		if seen[e.JobID] || !strings.HasPrefix(e.JobID, "p/periodic-") {
			t.Errorf("child %s", e.JobID)
		}
		seen[e.JobID] = true
	}
	for id, kind := range map[string]error{"plain": api.ErrInvalid, "nope": api.ErrNotFound} {
		if _, _, err := call(b, api.JobPeriodicForce, &api.JobPeriodicForceRequest{ID: id}); !errors.Is(err, kind) {
			t.Errorf("%s: %v", id, err)
		}
	}
	j, _ := b.Store.View().Job("default", "p")
	if next := nextLaunch(j, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)); next.Year() != 2027 {
		t.Errorf("next launch %s", next)
	}
}

func TestNodeDrain(t *testing.T) {
	b := newBench(t)
	b.apply(&fsm.NodeRegister{Node: &api.Node{ID: canaryID, Status: api.NodeStatusReady}})
	b.job("default", "sys", func(j *api.Job) { j.Type = api.JobTypeSystem })
	now := func() *api.Node {
		n, _ := b.Store.View().Node(canaryID)
		return n
	}
	drain := func(spec *api.DrainSpec, eligible bool) api.NodeUpdateResponse {
		t.Helper()
		resp, _, err := call(b, api.NodeDrain, &api.NodeDrainRequest{ID: canaryID, NodeID: canaryID, DrainSpec: spec, MarkEligible: eligible})
		if err != nil || resp.NodeModifyIndex != now().ModifyIndex {
			t.Fatalf("%+v, %v", resp, err)
		}
		return resp
	}
	drain(&api.DrainSpec{Deadline: api.Duration(time.Hour), IgnoreSystemJobs: true}, false)
	if s := now().DrainStrategy; !s.IgnoreSystemJobs || s.ForceDeadline.Sub(s.StartedAt) != time.Hour {
		t.Errorf("strategy %+v", s)
	}
	started := now().DrainStrategy.StartedAt
	drain(&api.DrainSpec{Deadline: -5}, false)
	if s := now().DrainStrategy; s.Deadline != -1 || !s.ForceDeadline.IsZero() || !s.StartedAt.Equal(started) {
		t.Errorf("changed to %+v", s)
	}
	if resp := drain(nil, true); !now().Ready() || len(resp.EvalIDs) != 1 {
		t.Errorf("ended: %+v, %+v", resp, now())
	}
	before := now().ModifyIndex
	if drain(nil, false); now().ModifyIndex != before {
		t.Error("ending no drain changes the node")
	}
	messages := ""
	for _, e := range now().Events {
		messages += e.Message + "; "
	}
	if want := "Node drain strategy set; Node drain strategy updated; Node drain disabled; "; !strings.HasSuffix(messages, want) {
		t.Errorf("events: %s", messages)
	}
	for name, req := range map[string]*api.NodeDrainRequest{
		"another node": {ID: canaryID, NodeID: deploymentID},
		"too long":     {ID: canaryID, DrainSpec: &api.DrainSpec{Deadline: 1 << 62}},
	} {
		if _, _, err := call(b, api.NodeDrain, req); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTemplatesStayTemplates(t *testing.T) {
	plain := func() *api.Job {
		return &api.Job{ID: "j", Name: "j", Type: api.JobTypeBatch, Priority: 50, TaskGroups: []*api.TaskGroup{{
			Name: "g", Count: 1, EphemeralDisk: &api.EphemeralDisk{SizeMB: 10}, RestartPolicy: api.DefaultRestart(api.JobTypeBatch),
			Tasks: []*api.Task{{Name: "t", Driver: "mock_driver", Resources: &api.Resources{CPU: 1, MemoryMB: 10}, LogConfig: &api.LogConfig{MaxFiles: 1, MaxFileSizeMB: 1}}},
		}}}
	}
	periodic := plain()
	periodic.Periodic = &api.PeriodicConfig{Enabled: true, Spec: "@daily", TimeZone: "UTC"}
	parameterized := plain()
	parameterized.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "optional"}
	for name, c := range map[string]struct{ from, to *api.Job }{
		"to being periodic": {plain(), periodic}, "to being non-periodic": {periodic, plain()},
		"to being parameterized": {plain(), parameterized}, "to being non-parameterized": {parameterized, plain()},
	} {
		b := newBench(t)
		register := func(j *api.Job) error {
			copied := *j
			_, _, err := call(b, api.JobsRegister, &api.JobRegisterRequest{Job: &copied})
			return err
		}
		if err := register(c.from); err != nil {
			t.Fatal(err)
		}
		if err := register(c.to); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		b.apply(&fsm.JobDeregister{Namespace: "default", ID: "j"})
		if err := register(c.to); err != nil {
			t.Errorf("%s of a stopped job: %v", name, err)
		}
	}
}
