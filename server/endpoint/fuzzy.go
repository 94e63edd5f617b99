package endpoint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// fuzzyContexts are the kinds of objects that a fuzzy search looks at by name.
var fuzzyContexts = []string{
	api.ContextJobs, api.ContextGroups, api.ContextTasks, api.ContextServices, api.ContextImages,
	api.ContextCommands, api.ContextClasses, api.ContextNodes, api.ContextNodePools,
	api.ContextNamespaces, api.ContextAllocs,
}

// fuzzyByPrefix are those whose objects have only IDs: they match by prefix.
var fuzzyByPrefix = []string{api.ContextEvals, api.ContextDeployments, api.ContextScalingPolicies}

// found collects matches; the position of the text in the name orders them.
type found struct {
	text    string
	wanted  map[string]bool
	matches map[string][]ranked
}

type ranked struct {
	at   int
	name string
	api.FuzzyMatch
}

func (f *found) try(context, name, id string, scope ...string) {
	if !f.wanted[context] || name == "" {
		return
	}
	if at := strings.Index(strings.ToLower(name), f.text); at >= 0 {
		f.matches[context] = append(f.matches[context], ranked{at, name, api.FuzzyMatch{ID: id, Scope: scope}})
	}
}

func (e *Endpoints) searchFuzzy(r *Read, req *api.FuzzySearchRequest) (api.FuzzySearchResponse, error) {
	resp := api.FuzzySearchResponse{Matches: map[string][]api.FuzzyMatch{}, Truncations: map[string]bool{}, Index: r.Index(), KnownLeader: true}
	if !e.Limits.SearchFuzzy {
		return resp, api.Errorf(api.ErrInvalid, "fuzzy search is not enabled; see server.search.fuzzy_enabled")
	}
	if len(req.Text) < e.Limits.SearchMinTerm {
		return resp, api.Errorf(api.ErrInvalid, "fuzzy search query must be at least %d characters, got %d", e.Limits.SearchMinTerm, len(req.Text))
	}
	look, err := contexts(req.Context, append(slices.Clone(fuzzyContexts), fuzzyByPrefix...))
	if err != nil {
		return resp, err
	}
	f := &found{text: strings.ToLower(req.Text), wanted: map[string]bool{}, matches: map[string][]ranked{}}
	for _, c := range look {
		f.wanted[c] = true
	}
	f.inJobs(r)
	f.elsewhere(r)
	for _, c := range fuzzyByPrefix {
		if f.wanted[c] {
			for id := range prefixMatches(r, c, req.Text) {
				f.try(c, id, id)
			}
		}
	}
	left := e.Limits.SearchLimitResults
	for _, c := range look {
		resp.Matches[c], resp.Truncations[c] = f.best(c, min(e.Limits.SearchLimitQuery, left))
		left -= len(resp.Matches[c])
	}
	return resp, nil
}

func (f *found) inJobs(r *Read) {
	for j := range r.Jobs() {
		if !r.finds(j.Namespace, "list-jobs", "read-job") {
			continue
		}
		f.try(api.ContextJobs, j.Name, j.Name, j.Namespace, j.ID)
		if !r.can(j.Namespace, "read-job") {
			continue
		}
		for _, g := range j.TaskGroups {
			f.try(api.ContextGroups, g.Name, g.Name, j.Namespace, j.ID)
			for _, s := range g.Services {
				f.try(api.ContextServices, s.Name, s.Name, j.Namespace, j.ID, g.Name)
			}
			for _, t := range g.Tasks {
				f.inTask(j, g, t)
			}
		}
	}
}

func (f *found) inTask(j *api.Job, g *api.TaskGroup, t *api.Task) {
	f.try(api.ContextTasks, t.Name, t.Name, j.Namespace, j.ID, g.Name)
	for _, s := range t.Services {
		f.try(api.ContextServices, s.Name, s.Name, j.Namespace, j.ID, g.Name, t.Name)
	}
	if image, ok := t.Config["image"].(string); ok {
		f.try(api.ContextImages, image, image, j.Namespace, j.ID, g.Name, t.Name)
	}
	if command, ok := t.Config["command"].(string); ok {
		f.try(api.ContextCommands, command, command, j.Namespace, j.ID, g.Name, t.Name)
	}
	if class, ok := t.Config["class"].(string); ok {
		f.try(api.ContextClasses, class, class, j.Namespace, j.ID, g.Name, t.Name)
	}
}

func (f *found) elsewhere(r *Read) {
	if f.wanted[api.ContextNodes] && r.token.ACL.Scope("node", "read") {
		for n := range r.Nodes() {
			f.try(api.ContextNodes, n.Name, n.Name, n.ID)
		}
	}
	if f.wanted[api.ContextAllocs] {
		for a := range r.Allocations() {
			if r.finds(a.Namespace, "read-job") {
				f.try(api.ContextAllocs, a.Name, a.Name, a.Namespace, a.ID)
			}
		}
	}
	for p := range r.NodePools() {
		if r.token.ACL.NodePool(p.Name, "read") {
			f.try(api.ContextNodePools, p.Name, p.Name)
		}
	}
	for n := range r.Namespaces() {
		if r.can(n.Name, api.CapabilityAny) {
			f.try(api.ContextNamespaces, n.Name, n.Name)
		}
	}
}

// best gives the matches of a context that fit best: where the text stands
// earlier, then shorter names.
func (f *found) best(context string, limit int) ([]api.FuzzyMatch, bool) {
	all := f.matches[context]
	slices.SortStableFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
	})
	truncated := len(all) > limit
	if truncated {
		all = all[:limit]
	}
	out := make([]api.FuzzyMatch, len(all))
	for i := range all {
		out[i] = all[i].FuzzyMatch
	}
	return out, truncated
}
