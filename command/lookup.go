package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// ambiguous is the error for a prefix that fits several objects.
func ambiguous(kind, prefix string, found *cli.Table) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%q fits several %s; give more of it:\n\n", prefix, kind)
	found.Write(&b, cli.Style{})
	return fmt.Errorf("%s", strings.TrimRight(b.String(), "\n"))
}

func none(kind, prefix string) error {
	return api.Errorf(api.ErrNotFound, "no %s with the prefix or ID %q", kind, prefix)
}

// job finds the one job whose ID is, or begins with, a text.
func (s *session) job(ctx context.Context, prefix string) (*api.JobListStub, error) {
	jobs, err := call(ctx, s, api.JobsList, api.JobsListRequest{QueryOptions: api.QueryOptions{Prefix: prefix}})
	if err != nil {
		return nil, err
	}
	var exact []*api.JobListStub
	for _, j := range jobs {
		if j.ID == prefix {
			exact = append(exact, j)
		}
	}
	switch {
	case len(exact) > 0:
		jobs = exact
	case len(jobs) > 1:
		jobs = withoutChildren(jobs)
	}
	switch len(jobs) {
	case 0:
		return nil, none("job", prefix)
	case 1:
		return jobs[0], nil
	}
	t := cli.NewTable("ID", "Namespace", "Type", "Status")
	for _, j := range jobs {
		t.Row(j.ID, j.Namespace, j.Type, j.Status)
	}
	return nil, ambiguous("jobs", prefix, t)
}

// withoutChildren drops the jobs whose parent is in the list too.
func withoutChildren(jobs []*api.JobListStub) []*api.JobListStub {
	known := map[api.NamespacedID]bool{}
	for _, j := range jobs {
		known[api.NamespacedID{Namespace: j.Namespace, ID: j.ID}] = true
	}
	return slices.DeleteFunc(jobs, func(j *api.JobListStub) bool {
		return known[api.NamespacedID{Namespace: j.Namespace, ID: j.ParentID}]
	})
}

// on is a job's request for an operation on it.
func on(j *api.JobListStub) api.JobReadRequest {
	return api.JobReadRequest{QueryOptions: api.QueryOptions{Namespace: j.Namespace}, ID: j.ID}
}

// within is the options of a change of an object in a namespace.
func within(namespace string) api.WriteOptions { return api.WriteOptions{Namespace: namespace} }

// uuidPrefix readies what a user typed as the start of a UUID.
func uuidPrefix(prefix string) (string, error) {
	clean := strings.ToLower(strings.TrimSpace(prefix))
	if clean == "" || strings.Trim(clean, "0123456789abcdef-") != "" || len(clean) > 36 {
		return "", cli.Usagef("%q is not an ID: it has hexadecimal digits and dashes", prefix)
	}
	return clean, nil
}

// allocation finds the one allocation whose ID begins with a text.
func (s *session) allocation(ctx context.Context, prefix string) (*api.Allocation, error) {
	clean, err := uuidPrefix(prefix)
	if err != nil {
		return nil, err
	}
	if len(clean) == 36 {
		return call(ctx, s, api.AllocationRead, api.IDRequest{ID: clean})
	}
	list, err := call(ctx, s, api.AllocationsList, api.AllocationsListRequest{QueryOptions: api.QueryOptions{Prefix: clean, Namespace: s.anyNamespace()}})
	if err != nil {
		return nil, err
	}
	switch len(list) {
	case 0:
		return nil, none("allocation", prefix)
	case 1:
		return call(ctx, s, api.AllocationRead, api.IDRequest{ID: list[0].ID})
	}
	t := cli.NewTable("ID", "Job", "Group", "Status")
	for _, a := range list {
		t.Row(a.ID, a.JobID, a.TaskGroup, a.ClientStatus)
	}
	return nil, ambiguous("allocations", prefix, t)
}

// anyNamespace widens the search for an ID to all namespaces, unless one was asked for.
func (s *session) anyNamespace() string {
	if s.Conn.Namespace == "" {
		return api.AllNamespaces
	}
	return s.Conn.Namespace
}

// evaluation finds the one evaluation whose ID begins with a text.
func (s *session) evaluation(ctx context.Context, prefix string) (*api.Evaluation, error) {
	clean, err := uuidPrefix(prefix)
	if err != nil {
		return nil, err
	}
	if len(clean) == 36 {
		return call(ctx, s, api.EvaluationRead, api.EvaluationReadRequest{ID: clean})
	}
	list, err := call(ctx, s, api.EvaluationsList, api.EvaluationsListRequest{QueryOptions: api.QueryOptions{Prefix: clean, Namespace: s.anyNamespace()}})
	if err != nil {
		return nil, err
	}
	switch len(list) {
	case 0:
		return nil, none("evaluation", prefix)
	case 1:
		return call(ctx, s, api.EvaluationRead, api.EvaluationReadRequest{ID: list[0].ID})
	}
	t := cli.NewTable("ID", "Job", "Triggered By", "Status")
	for _, e := range list {
		t.Row(e.ID, e.JobID, e.TriggeredBy, e.Status)
	}
	return nil, ambiguous("evaluations", prefix, t)
}

// node finds the one node whose ID begins with a text, or whose name it is.
func (s *session) node(ctx context.Context, prefix string) (*api.Node, error) {
	list, err := call(ctx, s, api.NodesList, api.NodesListRequest{})
	if err != nil {
		return nil, err
	}
	var found []*api.NodeListStub
	for _, n := range list {
		if strings.HasPrefix(n.ID, strings.ToLower(prefix)) || n.Name == prefix {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return nil, none("node", prefix)
	case 1:
		return call(ctx, s, api.NodeRead, api.IDRequest{ID: found[0].ID})
	}
	t := cli.NewTable("ID", "Name", "Status")
	for _, n := range found {
		t.Row(n.ID, n.Name, n.Status)
	}
	return nil, ambiguous("nodes", prefix, t)
}

// self finds the node of the agent that is asked.
func (s *session) self(ctx context.Context) (*api.Node, error) {
	info, err := call(ctx, s, api.AgentSelf, api.ListRequest{})
	if err != nil {
		return nil, err
	}
	nodeID := info.Stats["client"]["node_id"]
	if nodeID == "" {
		return nil, fmt.Errorf("the agent runs no client, so there is no node of its own")
	}
	return call(ctx, s, api.NodeRead, api.IDRequest{ID: nodeID})
}

// search lists the IDs in a context that begin with a text, for completion.
func (s *session) search(ctx context.Context, kind, prefix string) []string {
	found, err := call(ctx, s, api.SearchPrefix, api.SearchRequest{Prefix: prefix, Context: kind})
	if err != nil {
		return nil
	}
	return found.Matches[kind]
}

// completer completes the first argument with the IDs of a search context.
func completer(kind string) func(context.Context, *cli.Invocation, []string) []string {
	return func(ctx context.Context, inv *cli.Invocation, args []string) []string {
		s, err := open(inv)
		if err != nil || len(args) != 1 {
			return nil
		}
		return s.search(ctx, kind, args[0])
	}
}
