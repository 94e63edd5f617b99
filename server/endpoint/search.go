package endpoint

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

func (e *Endpoints) search() {
	lookup(e, api.SearchPrefix, e.searchPrefix)
	lookup(e, api.SearchFuzzy, e.searchFuzzy)
}

// prefixContexts are the kinds of objects that a prefix search looks at.
var prefixContexts = []string{
	api.ContextJobs, api.ContextEvals, api.ContextAllocs, api.ContextNodes, api.ContextNodePools,
	api.ContextDeployments, api.ContextNamespaces, api.ContextScalingPolicies,
}

// nothingThere are contexts of Nomad whose objects do not exist here yet.
var nothingThere = []string{"plugins", "volumes", "host_volumes", "vars", "quotas", "recommendations"}

// contexts gives the contexts to look at.
func contexts(asked string, known []string) ([]string, error) {
	switch {
	case asked == "" || asked == api.ContextAll:
		return known, nil
	case slices.Contains(known, asked):
		return []string{asked}, nil
	case slices.Contains(nothingThere, asked):
		return nil, nil
	}
	return nil, api.Errorf(api.ErrInvalid, "context must be one of %s or %q; got %q", strings.Join(known, ", "), api.ContextAll, asked)
}

func (e *Endpoints) searchPrefix(r *Read, req *api.SearchRequest) (api.SearchResponse, error) {
	resp := api.SearchResponse{Matches: map[string][]string{}, Truncations: map[string]bool{}, Index: r.Index(), KnownLeader: true}
	look, err := contexts(req.Context, prefixContexts)
	if err != nil {
		return resp, err
	}
	for _, c := range look {
		matches := []string{}
		truncated := false
		for id := range prefixMatches(r, c, req.Prefix) {
			if len(matches) == e.Limits.SearchLimitQuery {
				truncated = true
				break
			}
			matches = append(matches, id)
		}
		resp.Matches[c], resp.Truncations[c] = matches, truncated
	}
	return resp, nil
}

// finds says whether a namespace is one of those asked for, and what is in it
// may be found with one of some capabilities.
func (r *Read) finds(namespace string, capabilities ...string) bool {
	return r.in(namespace) && r.can(namespace, capabilities...)
}

// prefixMatches gives the IDs of a context that begin with prefix.
func prefixMatches(r *Read, context, prefix string) func(yield func(string) bool) {
	lower := strings.ToLower(prefix)
	return func(yield func(string) bool) {
		switch context {
		case api.ContextJobs:
			for j := range r.Jobs() {
				if r.finds(j.Namespace, "list-jobs", "read-job") && strings.HasPrefix(j.ID, prefix) && !yield(j.ID) {
					return
				}
			}
		case api.ContextEvals:
			for x := range r.EvaluationsByPrefix(lower) {
				if r.finds(x.Namespace, "read-job") && !yield(x.ID) {
					return
				}
			}
		case api.ContextAllocs:
			for a := range r.AllocationsByPrefix(lower) {
				if r.finds(a.Namespace, "read-job") && !yield(a.ID) {
					return
				}
			}
		case api.ContextNodes:
			if !r.token.ACL.Scope("node", "read") {
				return
			}
			for n := range r.NodesByPrefix(lower) {
				if !yield(n.ID) {
					return
				}
			}
		default:
			clusterMatches(r, context, prefix, yield)
		}
	}
}

func clusterMatches(r *Read, context, prefix string, yield func(string) bool) {
	switch context {
	case api.ContextNodePools:
		for p := range r.NodePools() {
			if r.token.ACL.NodePool(p.Name, "read") && strings.HasPrefix(p.Name, prefix) && !yield(p.Name) {
				return
			}
		}
	case api.ContextNamespaces:
		for n := range r.Namespaces() {
			if r.can(n.Name, api.CapabilityAny) && strings.HasPrefix(n.Name, prefix) && !yield(n.Name) {
				return
			}
		}
	case api.ContextDeployments:
		for d := range r.DeploymentsByPrefix(strings.ToLower(prefix)) {
			if r.finds(d.Namespace, "read-job") && !yield(d.ID) {
				return
			}
		}
	case api.ContextScalingPolicies:
		for p := range policies(r.Jobs()) {
			if r.finds(p.Namespace, "list-scaling-policies", "read-job") && strings.HasPrefix(p.ID, prefix) && !yield(p.ID) {
				return
			}
		}
	}
}
