package audit

import (
	"path"
	"slices"
	"strings"
)

// Filter keeps records out of the log. An empty list and "*" match everything.
type Filter struct {
	Endpoints  []string // patterns of paths: * is any text without a slash, and at the end with any
	Stages     []string
	Operations []string // methods
}

func (f Filter) matches(endpoint, stage, operation string) bool {
	return one(f.Stages, func(s string) bool { return s == stage }) &&
		one(f.Operations, func(o string) bool { return strings.EqualFold(o, operation) }) &&
		one(f.Endpoints, func(p string) bool { return pathMatches(p, endpoint) })
}

func one(list []string, is func(string) bool) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return s == "*" || is(s) })
}

func pathMatches(pattern, endpoint string) bool {
	if start, open := strings.CutSuffix(pattern, "*"); open && !strings.ContainsAny(start, "*?[\\") {
		return strings.HasPrefix(endpoint, start)
	}
	ok, _ := path.Match(pattern, endpoint) // patterns were checked with the configuration
	return ok
}
