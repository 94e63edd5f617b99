package feasible

import (
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

func TestHolds(t *testing.T) {
	n := &api.Node{
		ID: "id1", Name: "name1", Datacenter: "dc1", NodeClass: "c1", NodePool: "p1",
		Attributes: map[string]string{"n": "10", "f": "1.5", "s": "beta", "v": "1.2.3", "pre": "1.3.0-rc1", "set": "a, b,c", "empty": ""},
		Meta:       map[string]string{"m": "x"},
	}
	for _, c := range []struct {
		l, operand, r string
		want          bool
	}{
		{"${node.unique.id}", "=", "id1", true},
		{"${node.unique.name}", "==", "name1", true},
		{"${node.datacenter}", "is", "dc1", true},
		{"${node.class}", "", "c1", true},
		{"${node.pool}", "not", "p1", false},
		{"${meta.m}", "=", "x", true},
		{"x", "=", "${meta.m}", true},
		{"${meta.m}", "=", "${meta.m}", true},
		{"literal", "=", "literal", true},
		{"${node.unknown}", "is_set", "", false},
		{"${attr.none}", "=", "", false},
		{"${attr.none}", "!=", "x", true},
		{"${attr.none}", "!=", "${attr.none}", false},
		{"${attr.empty}", "is_set", "", true},
		{"${attr.none}", "is_not_set", "", true},
		{"${attr.n}", "<", "9", false}, // as numbers; as text it would hold
		{"${attr.n}", "<", "9.5", false},
		{"${attr.n}", ">=", "10", true},
		{"${attr.f}", "<=", "1.50", true},
		{"${attr.s}", ">", "alpha", true}, // as text
		{"${attr.s}", "<", "10", false},
		{"${attr.none}", "<", "10", false},
		{"${attr.s}", "regexp", "^b.*a$", true},
		{"${attr.s}", "regexp", "[", false},
		{"${attr.v}", "version", ">= 1.2, < 1.3", true},
		{"${attr.v}", "version", "~> 1.2.0", true},
		{"${attr.v}", "version", "nonsense", false},
		{"${attr.s}", "version", ">= 0.1", false},
		{"${attr.pre}", "version", "> 1.2", false}, // a pre-release, and none is named
		{"${attr.pre}", "semver", "> 1.2.0", true},
		{"${attr.pre}", "semver", "< 1.3.0", true},
		{"${attr.pre}", "semver", "1.3.0-rc1", true},
		{"${attr.pre}", "semver", "!= 1.3.0-rc1", false},
		{"${attr.pre}", "semver", ">= 1.3.0-rc1, <= 1.3.0-rc1", true},
		{"${attr.v}", "semver", "~> 1.2.0", false},
		{"${attr.v}", "semver", "", false},
		{"${attr.set}", "set_contains", "c,a", true},
		{"${attr.set}", "set_contains_all", "a,d", false},
		{"${attr.set}", "set_contains_any", "d, b", true},
		{"${attr.set}", "set_contains_any", "d", false},
		{"${attr.n}", "like", "10", false},
	} {
		constraint := &api.Constraint{LTarget: c.l, Operand: c.operand, RTarget: c.r}
		if got := Holds(constraint, n); got != c.want {
			t.Errorf("%s: %t", Describe(constraint), got)
		}
	}
}

// TestLongInput gives megabytes to the costly operators.
func TestLongInput(t *testing.T) {
	long := strings.Repeat("(a*)*", 1<<18)
	n := &api.Node{Attributes: map[string]string{"x": strings.Repeat("a", 1<<20) + "b"}}
	for _, c := range []*api.Constraint{
		{LTarget: "${attr.x}", Operand: "regexp", RTarget: "(a+)+$"},
		{LTarget: "${attr.x}", Operand: "regexp", RTarget: long},
		{LTarget: "${attr.x}", Operand: "version", RTarget: ">= 1"},
		{LTarget: strings.Repeat("a", 1000), Operand: "regexp", RTarget: long[:1000]},
		{LTarget: "1.0", Operand: "version", RTarget: strings.Repeat(">= 1,", 1<<10) + "x"},
		{LTarget: "${attr.x}", Operand: "semver", RTarget: strings.Repeat("1", 1<<20)},
	} {
		start := time.Now()
		Holds(c, n)
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s on %d bytes took %v", c.Operand, len(c.RTarget), took)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"dc1", "dc1", true}, {"dc1", "dc10", false}, {"", "x", false},
		{"eu-*", "eu-1", true}, {"eu-*", "us-1", false}, {"*-1", "eu-1", true}, {"*-1", "eu-11", false},
		{"e*-*1", "eu-west-1", true}, {"a*a", "a", false}, {"**", "x", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "ac", false},
	} {
		if got := Glob(c.pattern, c.text); got != c.want {
			t.Errorf("Glob(%q, %q) = %t", c.pattern, c.text, got)
		}
	}
}

func TestComputedClass(t *testing.T) {
	base := func() *api.Node {
		return &api.Node{ID: "a", Datacenter: "dc1", Attributes: map[string]string{"x": "1", "unique.x": "1"}, Drivers: map[string]*api.DriverInfo{"exec": {Detected: true, Healthy: true}}}
	}
	want := ComputedClass(base())
	same := base()
	same.ID, same.Name, same.Attributes["unique.x"] = "b", "other", "2"
	same.Drivers["exec"].HealthDescription = "fine"
	if got := ComputedClass(same); got != want {
		t.Errorf("what is unique changes the class: %s, %s", got, want)
	}
	for name, change := range map[string]func(*api.Node){
		"attribute":  func(n *api.Node) { n.Attributes["x"] = "2" },
		"meta":       func(n *api.Node) { n.Meta = map[string]string{"x": "1"} },
		"datacenter": func(n *api.Node) { n.Datacenter = "dc2" },
		"driver":     func(n *api.Node) { n.Drivers["exec"].Healthy = false },
		"pool":       func(n *api.Node) { n.NodePool = "gpu" },
		"split":      func(n *api.Node) { n.Datacenter = ""; n.NodeClass = "dc1" },
	} {
		n := base()
		change(n)
		if ComputedClass(n) == want {
			t.Errorf("another %s leaves the class the same", name)
		}
	}
}

// TestKeptAnswers checks that answers follow the nodes.
func TestKeptAnswers(t *testing.T) {
	f := fleet.New()
	job := &api.Job{Datacenters: []string{"*"}, Constraints: []*api.Constraint{{LTarget: "${attr.x}", RTarget: "1"}}}
	g := &api.TaskGroup{Name: "g"}
	count := func() int { return For(f, job, g).Rows.Count() }
	put := func(id, x string) {
		f.NodeUpsert(&api.Node{ID: id, Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible, Attributes: map[string]string{"x": x}})
	}
	put("a", "1")
	if n := count(); n != 1 {
		t.Fatalf("%d rows at first", n)
	}
	for i := range 100 {
		put("more"+string(rune('a'+i)), "1")
	}
	if n := count(); n != 101 {
		t.Errorf("%d rows after nodes joined", n)
	}
	put("a", "2")
	if n := count(); n != 100 {
		t.Errorf("%d rows after an attribute changed", n)
	}
	f.NodeRemove("morea")
	if n := count(); n != 99 {
		t.Errorf("%d rows after a node left", n)
	}
}
