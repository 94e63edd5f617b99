package agent

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

var update = flag.Bool("update", false, "write testdata/permission_matrix.txt anew")

// needed is what a line of testdata/permissions.txt says of an operation.
type needed struct{ capability, where string }

// apart are the operations that are not in the endpoint table, and are authorised
// all the same.
var apart = []*api.Endpoint{
	{Name: "Agent.Profile", Method: "GET", Path: "/v1/agent/pprof/cmdline", Kind: api.OnAgent, Request: reflect.TypeFor[api.ListRequest]()},
	{Name: "Debug.Profile", Method: "GET", Path: "/debug/pprof/heap", Kind: api.OnAgent, Request: reflect.TypeFor[api.ListRequest]()},
}

// operations are all that the matrix asks for.
func operations() []*api.Endpoint { return append(slices.Clone(api.Endpoints), apart...) }

func nameOf(op *api.Endpoint) string { return op.Method + " " + op.Path }

// page reads what every operation needs.
func page(t *testing.T) map[string]needed {
	t.Helper()
	b, err := os.ReadFile("testdata/permissions.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]needed{}
	for n, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := strings.Split(line, " | ")
		method, path, ok := strings.Cut(parts[0], " ")
		if last := len(parts) - 1; ok && last >= 2 {
			name := method + " " + strings.TrimSpace(path)
			if _, twice := out[name]; twice {
				t.Errorf("permissions.txt:%d: %s stands twice", n+1, name)
			}
			out[name] = needed{strings.TrimSpace(strings.Join(parts[1:last], " | ")), strings.TrimSpace(parts[last])}
			continue
		}
		t.Errorf("permissions.txt:%d: %q is not \"method path | need | where\"", n+1, line)
	}
	return out
}

// TestThePageKnowsEveryOperation: nothing is in the table that nobody has thought
// about, and both say the same.
func TestThePageKnowsEveryOperation(t *testing.T) {
	known := page(t)
	where := map[api.NamespaceSource]string{api.NamespaceNone: "cluster", api.NamespaceQuery: "query", api.NamespaceObject: "object", api.NamespacePath: "path"}
	for _, op := range operations() {
		n, ok := known[nameOf(op)]
		delete(known, nameOf(op))
		switch {
		case !ok:
			t.Errorf("%s is not in testdata/permissions.txt: write down what it needs, before you look at its table", nameOf(op))
		case slices.Contains(apart, op):
		case n.where != where[op.Namespace]:
			t.Errorf("%s: its namespace comes from %q by the page, and from %q by the table", nameOf(op), n.where, where[op.Namespace])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		t.Errorf("%s is in testdata/permissions.txt, and in no table", name)
	}
}

// TestMatrixToRead writes down who may do what, as testdata/permission_matrix.txt
// has it for people: a line for each operation, a column for each kind of token.
func TestMatrixToRead(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Who may do what: operations by kinds of tokens. Made of permissions.txt and the kinds in\n# permission_oracle_test.go by go test -run TestMatrixToRead -update; the matrix test holds the agents to it.\n#\n")
	b.WriteString("# .  refused     1 2  in namespace ns1, ns2 alone     +  in both, or of the cluster\n#\n")
	for i, s := range shapes {
		fmt.Fprintf(&b, "# %2d  %s\n", i+1, s.name)
	}
	columns := func(cell func(i int, s *shape) byte) string {
		row := make([]byte, len(shapes))
		for i := range shapes {
			row[i] = cell(i, &shapes[i])
		}
		return string(row)
	}
	fmt.Fprintf(&b, "#\n%-64s%s\n%-64s%s\n", "#", columns(func(i int, _ *shape) byte { return '0' + byte(i+1)/10 }), "#", columns(func(i int, _ *shape) byte { return '0' + byte(i+1)%10 }))
	known := page(t)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		fmt.Fprintf(&b, "%-64s%s\n", name, columns(func(_ int, s *shape) byte {
			one, two := s.allows(known[name].capability, "ns1"), s.allows(known[name].capability, "ns2")
			switch {
			case one && two:
				return '+'
			case one:
				return '1'
			case two:
				return '2'
			}
			return '.'
		}))
	}
	const file = "testdata/permission_matrix.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if golden, err := os.ReadFile(file); err != nil || string(golden) != b.String() {
		t.Errorf("%s says otherwise: %v; write it anew with -update, and read the difference", file, err)
	}
}
