package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestCapabilitiesAreKnown reads what every operation needs, and looks for
// contradictions with where its namespace comes from.
func TestCapabilitiesAreKnown(t *testing.T) {
	public := []string{ // everybody may: written out, so that none comes in by accident
		"ACL.Bootstrap", "ACLToken.OneTimeExchange", "Status.Leader", "Status.Peers", "Regions.List", "Agent.Health", "Metrics.Read",
	}
	for _, e := range Endpoints {
		n := e.Needs()
		if n.Public() != slices.Contains(public, e.Name) {
			t.Errorf("%s: public is %v", e.Name, n.Public())
		}
		if n.InNamespace() && e.Namespace == NamespaceNone {
			t.Errorf("%s needs %q, and is about no namespace", e.Name, e.Capability)
		}
		if e.Kind == Write && n.Filtered {
			t.Errorf("%s is a write that refuses nobody", e.Name)
		}
	}
}

func TestNeeds(t *testing.T) {
	e := &Endpoint{Name: "X", Capability: "filter list-jobs & node_pool:read | operator:write"}
	n := e.Needs()
	want := [][]Capability{{{"", "list-jobs"}, {"node_pool", "read"}}, {{"operator", "write"}}}
	if !n.Filtered || !reflect.DeepEqual(n.AnyOf, want) || n.Public() || !n.InNamespace() {
		t.Errorf("%+v", n)
	}
	for _, wrong := range []string{"fly", "node:fly", "nodes:read", "read-job | ", "a & b"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", wrong)
				}
			}()
			(&Endpoint{Name: "X", Capability: wrong}).Needs()
		}()
	}
}

// TestBodiesNameTheirNamespace walks the body of every request: one that can
// name a namespace says which one the operation is about, so that nobody asks
// for one namespace and acts in another.
func TestBodiesNameTheirNamespace(t *testing.T) {
	otherwise := map[string]string{
		"Jobs.Statuses":   "shows of the jobs that it names only those of the namespace asked for",
		"ACLPolicy.Write": "needs a management token",
	}
	for _, e := range Endpoints {
		path := namespaceIn(e.Request, "", map[reflect.Type]bool{})
		_, named := reflect.New(e.Request).Interface().(Namespaced)
		if path != "" && !named && otherwise[e.Name] == "" {
			t.Errorf("%s: the body of %s has %s, and the request does not implement Namespaced", e.Name, e.Request, path)
		}
		if path == "" && otherwise[e.Name] != "" {
			t.Errorf("%s names no namespace any more: take it from the list", e.Name)
		}
	}
}

// namespaceIn finds a field of a body that names a namespace.
func namespaceIn(t reflect.Type, path string, seen map[reflect.Type]bool) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return ""
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		if _, query := f.Tag.Lookup("query"); query || f.Tag.Get("json") == "-" && f.Tag.Get("body") != "" && f.Type.Kind() != reflect.Pointer {
			continue
		}
		at := strings.TrimPrefix(path+"."+f.Name, ".")
		if f.Name == "Namespace" && f.Type.Kind() == reflect.String {
			return at
		}
		if found := namespaceIn(f.Type, at, seen); found != "" {
			return found
		}
	}
	return ""
}
