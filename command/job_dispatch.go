package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// maxPayload is how many bytes the payload of a dispatched job may have.
const maxPayload = 16 << 10

// dispatch is what `job dispatch` was told.
type dispatch struct {
	acting
	meta     []string
	template string
	token    string
	priority int
	wait     bool
}

func jobDispatch() *cli.Command {
	var o dispatch
	return &cli.Command{
		Name: "dispatch", Synopsis: "Start a child of a parameterized job", Usage: "[options] <job> [<file>]", Min: 1, Max: 2,
		Help: `Starts a child of a parameterized job, with a payload from a file or, for "-", from standard input: up to 16 KiB.

  serai job dispatch -meta customer=7 -wait invoices order.json

The command follows the child until its allocations run; with -wait until they are over. The exit code is 2 when something could not be placed or failed.`,
		Define: func(f *cli.Flags) {
			f.Strings(&o.meta, "meta", "<key=value>", "Meta that the job asks for. May be given many times.")
			f.String(&o.template, "id-prefix-template", "<text>", "Text in the ID of the child, before the time.")
			f.String(&o.token, "idempotency-token", "<token>", "Start nothing when a child of the job was started with the same token.")
			f.Int(&o.priority, "priority", "<n>", "Priority of the child, 1 to 100; the job's own when 0.")
			f.Bool(&o.wait, "wait", "Follow the child to its end.")
			o.define(f)
			f.Ignore("ui", "")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if o.wait && o.detach {
				return cli.Usagef("-wait and -detach exclude each other")
			}
			return o.run(ctx, inv)
		},
	}
}

func (o *dispatch) run(ctx context.Context, inv *cli.Invocation) error {
	meta, err := keyValues("-meta", o.meta)
	if err != nil {
		return err
	}
	req := api.JobDispatchRequest{Meta: meta, IdPrefixTemplate: o.template, Priority: o.priority}
	if len(inv.Args) == 2 {
		if req.Payload, err = readPayload(inv.Stdin, inv.Args[1]); err != nil {
			return err
		}
	}
	s, err := open(inv)
	if err != nil {
		return err
	}
	stub, err := s.job(ctx, inv.Args[0])
	if err != nil {
		return err
	}
	if !stub.ParameterizedJob {
		return fmt.Errorf("job %q cannot be dispatched: it is not parameterized", stub.ID)
	}
	req.ID, req.JobID = stub.ID, stub.ID
	req.WriteOptions = within(stub.Namespace)
	req.IdempotencyToken = o.token
	resp, err := call(ctx, s, api.JobDispatch, req)
	if err != nil {
		return err
	}
	var p cli.Pairs
	p.Add("Dispatched Job ID", resp.DispatchedJobID)
	if resp.EvalID != "" {
		p.Add("Evaluation ID", id(resp.EvalID, o.verbose))
	}
	p.Write(inv.Stdout, inv.Style)
	if o.detach || resp.EvalID == "" && !o.wait {
		return nil
	}
	inv.Printf("")
	if o.wait {
		child := &api.JobListStub{ID: resp.DispatchedJobID, Namespace: stub.Namespace}
		return s.followToEnd(ctx, child, resp.EvalID, o.verbose)
	}
	return s.follow(ctx, resp.EvalID, o.verbose, toStart)
}

// keyValues reads the values of a flag that names keys: key=value each.
func keyValues(flag string, list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, cli.Usagef("%s %q: write it as key=value", flag, text)
		}
		out[key] = value
	}
	return out, nil
}

func readPayload(stdin io.Reader, path string) ([]byte, error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxPayload+1))
	if err != nil {
		return nil, fmt.Errorf("payload %s: %w", path, err)
	}
	if len(data) > maxPayload {
		return nil, fmt.Errorf("payload %s: more than %s; put it where the task can fetch it, and its address in -meta", path, size(maxPayload))
	}
	return data, nil
}

// followToEnd follows a batch job until nothing of it is left to run.
func (s *session) followToEnd(ctx context.Context, stub *api.JobListStub, evalID string, verbose bool) error {
	f := s.newFollower(verbose, toEnd)
	if evalID != "" {
		return f.end(f.run(ctx, evalID), "serai job status "+stub.ID)
	}
	evals, err := call(ctx, s, api.JobEvaluations, on(stub))
	if err != nil {
		return err
	}
	if len(evals) == 0 {
		return fmt.Errorf("job %q has no evaluation to follow; see \"serai job status %s\"", stub.ID, stub.ID)
	}
	return f.end(f.run(ctx, evals[0].ID), "serai job status "+stub.ID)
}
