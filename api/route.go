package api

import (
	"net/http"
	"net/url"
	"strings"
)

// Router finds the endpoint of a request. net/http's patterns do not serve
// here: /v1/node/pool/{name} and /v1/node/{id}/evaluate overlap, and a job's ID
// may hold slashes that clients do not always escape.
type Router struct {
	byArea map[string][]*route // by the segment behind /v1/
}

type route struct {
	endpoint *Endpoint
	segments []string
	greedy   bool // {id} may take several segments
}

// NewRouter makes a router for the endpoints.
func NewRouter(endpoints []*Endpoint) *Router {
	r := &Router{byArea: map[string][]*route{}}
	for _, e := range endpoints {
		segments := strings.Split(strings.TrimPrefix(e.Path, "/v1/"), "/")
		r.byArea[segments[0]] = append(r.byArea[segments[0]], &route{
			endpoint: e, segments: segments, greedy: segments[0] == "job",
		})
	}
	return r
}

// Match is what a Router found for a request.
type Match struct {
	Endpoint *Endpoint // nil: none
	Values   map[string]string
	Known    bool // the path is known, if for other methods only
}

// Value gives a wildcard's value, unescaped.
func (m *Match) Value(name string) string { return m.Values[name] }

// Route finds the endpoint for a method and a path as it was sent (escaped,
// see url.URL.EscapedPath). Literal segments win over wildcards, from the left.
func (r *Router) Route(method, escapedPath string) Match {
	rest, ok := strings.CutPrefix(escapedPath, "/v1/")
	if !ok {
		return Match{}
	}
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if method == http.MethodPost {
		method = http.MethodPut
	}
	var best Match
	var bestRank string
	for _, candidate := range r.byArea[segments[0]] {
		values, rank, ok := candidate.match(segments)
		if !ok {
			continue
		}
		best.Known = true
		if candidate.endpoint.Method == method && rank > bestRank {
			best.Endpoint, best.Values, bestRank = candidate.endpoint, values, rank
		}
	}
	return best
}

// match gives the wildcards' values, and a rank: a letter for each segment,
// greater for a literal.
func (r *route) match(segments []string) (values map[string]string, rank string, ok bool) {
	extra := len(segments) - len(r.segments)
	if extra < 0 || extra > 0 && !r.greedy {
		return nil, "", false
	}
	letters := make([]byte, 0, len(r.segments))
	at := 0
	for _, s := range r.segments {
		name, wild := strings.CutPrefix(s, "{")
		if !wild {
			if segments[at] != s {
				return nil, "", false
			}
			letters = append(letters, 'l')
			at++
			continue
		}
		name = strings.TrimSuffix(name, "}")
		take := 1
		if name == "id" {
			take += extra
		}
		value, err := url.PathUnescape(strings.Join(segments[at:at+take], "/"))
		if err != nil || value == "" {
			return nil, "", false
		}
		if values == nil {
			values = map[string]string{}
		}
		values[name] = value
		letters = append(letters, 'a')
		at += take
	}
	return values, string(letters), at == len(segments)
}
