package endpoint

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

func (e *Endpoints) children() {
	write(e, api.JobDispatch, e.jobDispatch)
	write(e, api.JobDispatchRaw, func(w *Write, req *api.JobDispatchRawRequest) (api.JobDispatchResponse, error) {
		return e.jobDispatch(w, &api.JobDispatchRequest{WriteOptions: req.WriteOptions, ID: req.ID, Payload: req.Payload})
	})
	write(e, api.JobPeriodicForce, periodicForce)
}

// dispatchAttempts is how often a dispatch is made anew because the job changed
// while it was checked.
const dispatchAttempts = 3

// jobDispatch starts a child of a parameterized job.
func (e *Endpoints) jobDispatch(w *Write, req *api.JobDispatchRequest) (api.JobDispatchResponse, error) {
	var resp api.JobDispatchResponse
	if w.SchedulerConfig().RejectJobRegistration {
		return resp, api.Errorf(api.ErrDenied, "job registration, dispatch, and scale are disabled by the scheduler configuration")
	}
	if len(req.IdempotencyToken) > 1024 {
		return resp, api.Errorf(api.ErrInvalid, "idempotency_token has %d bytes; at most 1024 are allowed", len(req.IdempotencyToken))
	}
	var err error
	for range dispatchAttempts {
		var done *fsm.JobDispatched
		if done, err = e.dispatch(w, req); err == nil {
			resp.DispatchedJobID, resp.JobCreateIndex = done.Job.ID, done.Job.CreateIndex
			resp.EvalID, resp.EvalCreateIndex = done.EvalID, done.EvalAt
			return resp, nil
		}
		if !errors.Is(err, api.ErrConflict) {
			break
		}
		w.View = e.Store.View()
	}
	return resp, err
}

func (e *Endpoints) dispatch(w *Write, req *api.JobDispatchRequest) (*fsm.JobDispatched, error) {
	job, ok := w.Job(w.Namespace, req.ID)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "parameterized job not found")
	}
	if !job.IsParameterized() {
		return nil, api.Errorf(api.ErrInvalid, "specified job %q is not a parameterized job", req.ID)
	}
	if job.Stop {
		return nil, api.Errorf(api.ErrInvalid, "specified job %q is stopped", req.ID)
	}
	if err := dispatchable(job, req.Payload, req.Meta); err != nil {
		return nil, err
	}
	if err := e.allowed(w.View, job).Err(); err != nil { // what the namespace allows may have changed
		return nil, err
	}
	if req.Priority != 0 && (req.Priority < 1 || req.Priority > e.Limits.JobMaxPriority) {
		return nil, api.Errorf(api.ErrInvalid, "priority must be from 1 to %d, not %d", e.Limits.JobMaxPriority, req.Priority)
	}
	id, err := dispatchID(job, req, w.Now)
	if err != nil {
		return nil, err
	}
	result, err := w.apply(&fsm.JobDispatch{
		Namespace: w.Namespace, JobID: job.ID, JobModifyIndex: job.JobModifyIndex, ChildID: id,
		Token: req.IdempotencyToken, Payload: req.Payload, Meta: req.Meta, Priority: req.Priority,
		Time: w.Now.UnixNano(), EvalID: trigger.NewID(),
	})
	if err != nil {
		return nil, err
	}
	return result.(*fsm.JobDispatched), nil
}

// dispatchable checks payload and meta against what the job asks for, and names
// all that is wrong.
func dispatchable(job *api.Job, payload []byte, meta map[string]string) error {
	p := job.ParameterizedJob
	var problems api.Problems
	say := func(path, format string, args ...any) {
		problems = append(problems, api.Problem{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	switch {
	case p.Payload == "required" && len(payload) == 0:
		say("Payload", "payload is not provided but required by parameterized job %q", job.ID)
	case p.Payload == "forbidden" && len(payload) > 0:
		say("Payload", "payload is provided but forbidden by parameterized job %q", job.ID)
	}
	if len(payload) > api.MaxDispatchPayload {
		say("Payload", "payload of %d bytes exceeds maximum size of %d bytes", len(payload), api.MaxDispatchPayload)
	}
	var missing, unknown []string
	for _, k := range p.MetaRequired {
		if _, ok := meta[k]; !ok {
			missing = append(missing, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if !slices.Contains(p.MetaRequired, k) && !slices.Contains(p.MetaOptional, k) {
			unknown = append(unknown, k)
		}
	}
	if len(missing) > 0 {
		say("Meta", "dispatch did not provide required meta keys: %s", quoted(missing))
	}
	if len(unknown) > 0 {
		say("Meta", "dispatch request included unpermitted metadata keys: %s; add them to meta_optional of the job", quoted(unknown))
	}
	return problems.Err()
}

// quoted lists names, of very many the first.
func quoted(names []string) string {
	const most = 20
	var out []string
	for _, n := range names[:min(len(names), most)] {
		if len(n) > 128 {
			n = n[:128] + "…"
		}
		out = append(out, strconv.Quote(n))
	}
	if more := len(names) - most; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// dispatchID names a child: the job, what the request asks for, the time and a
// random part.
func dispatchID(job *api.Job, req *api.JobDispatchRequest, now time.Time) (string, error) {
	random := uuid.New()
	tail := strconv.FormatInt(now.Unix(), 10) + "-" + hex.EncodeToString(random[:4])
	prefix, err := idPrefix(job, req)
	if err != nil {
		return "", err
	}
	if prefix != "" {
		tail = prefix + "-" + tail
	}
	id := job.ID + fsm.DispatchInfix + tail
	if err := api.CheckJobID(id); err != nil {
		return "", fmt.Errorf("the ID of the dispatched job: %w", err)
	}
	return id, nil
}

// maxIDPrefix is how long what a template makes may be.
const maxIDPrefix = 128

// idPrefix executes the template that a request has for the ID of its child. It
// has the job's ID, its namespace and the meta of the request.
func idPrefix(job *api.Job, req *api.JobDispatchRequest) (string, error) {
	if req.IdPrefixTemplate == "" {
		return "", nil
	}
	if len(req.IdPrefixTemplate) > 1024 {
		return "", api.Errorf(api.ErrInvalid, "id_prefix_template has %d bytes; at most 1024 are allowed", len(req.IdPrefixTemplate))
	}
	t, err := template.New("id_prefix_template").Option("missingkey=error").Parse(req.IdPrefixTemplate)
	if err == nil {
		err = onlyValues(t)
	}
	if err != nil {
		return "", api.Errorf(api.ErrInvalid, "id_prefix_template: %v", err)
	}
	var out boundedText
	data := map[string]any{"JobID": job.ID, "Namespace": job.Namespace, "Meta": req.Meta}
	if err := t.Execute(&out, data); err != nil {
		return "", api.Errorf(api.ErrInvalid, "id_prefix_template: %v", err)
	}
	return out.String(), nil
}

// onlyValues refuses what could take long or make much: a prefix needs text,
// values and few functions.
func onlyValues(t *template.Template) error {
	if len(t.Templates()) > 1 {
		return errors.New("it must not define templates")
	}
	if t.Tree == nil {
		return nil
	}
	for _, n := range t.Root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			for _, c := range n.Pipe.Cmds {
				for _, arg := range c.Args {
					if err := plainValue(arg); err != nil {
						return err
					}
				}
			}
		default:
			return fmt.Errorf("%q is not allowed: only values such as {{ .JobID }} and {{ .Meta.key }} are", n.String())
		}
	}
	return nil
}

func plainValue(n parse.Node) error {
	switch n := n.(type) {
	case *parse.IdentifierNode:
		if !slices.Contains([]string{"index", "slice", "print"}, n.Ident) {
			return fmt.Errorf("function %q is not allowed: only index, slice and print are", n.Ident)
		}
	case *parse.FieldNode, *parse.StringNode, *parse.NumberNode, *parse.DotNode:
	default:
		return fmt.Errorf("%q is not allowed: only values such as {{ .JobID }} and {{ .Meta.key }} are", n.String())
	}
	return nil
}

// boundedText is a text that does not grow beyond maxIDPrefix.
type boundedText struct{ strings.Builder }

func (b *boundedText) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxIDPrefix {
		return 0, fmt.Errorf("makes more than %d bytes", maxIDPrefix)
	}
	return b.Builder.Write(p)
}

// periodicForce starts a run of a periodic job now.
func periodicForce(w *Write, req *api.JobPeriodicForceRequest) (api.JobPeriodicForceResponse, error) {
	var resp api.JobPeriodicForceResponse
	if _, err := getJob(w.View, w.Namespace, req.ID); err != nil {
		return resp, err
	}
	result, err := w.apply(&fsm.PeriodicStart{Time: w.Now.UnixNano(), Runs: []fsm.PeriodicRun{{
		Namespace: w.Namespace, JobID: req.ID, Due: w.Now.Truncate(time.Second).UnixNano(), Force: true, EvalID: trigger.NewID(),
	}}})
	if err != nil {
		return resp, err
	}
	started := result.([]fsm.PeriodicStarted)[0]
	if started.Refused != nil {
		return resp, started.Refused
	}
	resp.EvalID, resp.EvalCreateIndex = started.Eval.ID, started.Eval.CreateIndex
	return resp, nil
}

// nextLaunch says when a job's next run is due; the zero time when it has none.
func nextLaunch(job *api.Job, now time.Time) time.Time {
	if !job.IsPeriodic() || job.IsParameterized() || !job.Periodic.Enabled {
		return time.Time{}
	}
	next, err := job.Periodic.Next(now)
	if err != nil {
		return time.Time{} // admission has told what is wrong
	}
	return next
}

// staysTemplate refuses to make a template of a job that runs itself, or the
// other way round: what runs would run on with nobody to stop it.
func staysTemplate(old, job *api.Job) error {
	if old == nil || old.Stop {
		return nil
	}
	for _, x := range []struct {
		was, is bool
		what    string
	}{
		{old.IsPeriodic(), job.IsPeriodic(), "periodic"},
		{old.ParameterizedJob != nil, job.ParameterizedJob != nil, "parameterized"},
	} {
		switch {
		case x.is && !x.was:
			return api.Errorf(api.ErrInvalid, "cannot update non-%s job to being %s: stop job %q first", x.what, x.what, job.ID)
		case x.was && !x.is:
			return api.Errorf(api.ErrInvalid, "cannot update %s job to being non-%s: stop job %q first", x.what, x.what, job.ID)
		}
	}
	return nil
}
