package server

import (
	"slices"
	"testing"

	"github.com/seraihq/serai/api"
)

func TestCompareTables(t *testing.T) {
	tables := func(jobs, nodes string) map[string]string { return map[string]string{"jobs": jobs, "nodes": nodes} }
	for name, c := range map[string]struct {
		servers []api.ServerTables
		differ  []string
		agree   bool
	}{
		"one":           {[]api.ServerTables{{Tables: tables("a", "b")}}, nil, true},
		"the same":      {[]api.ServerTables{{Tables: tables("a", "b")}, {Tables: tables("a", "b")}}, nil, true},
		"another":       {[]api.ServerTables{{Tables: tables("a", "b")}, {Tables: tables("a", "c")}, {Tables: tables("x", "b")}}, []string{"jobs", "nodes"}, false},
		"silent":        {[]api.ServerTables{{Tables: tables("a", "b")}, {Error: "no answer"}}, nil, false},
		"without table": {[]api.ServerTables{{Tables: map[string]string{"jobs": "a"}}, {Tables: tables("a", "b")}}, []string{"nodes"}, false},
	} {
		differ, agree := compareTables(c.servers)
		if !slices.Equal(differ, c.differ) || agree != c.agree {
			t.Errorf("%s: %v, %v", name, differ, agree)
		}
	}
}
