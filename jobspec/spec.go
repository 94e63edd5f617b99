package jobspec

import (
	"reflect"
	"sort"
	"strings"
	"sync"

	"github.com/seraihq/serai/api"
)

// form is how a block lies in the JSON of a job.
type form int

const (
	single   form = iota // an object; the block may appear once
	repeated             // a list of objects
	keyed                // a map of objects, by the label
	freeMap              // a map of anything: attributes and blocks of any name
	textMap              // a map of texts
	listMap              // a map of lists of texts
)

// slot is where an attribute or block of a struct goes.
type slot struct {
	json   string
	form   form
	inner  *spec // of single, repeated and keyed
	labels int
}

// spec is what the body of a block may hold, by the hcl tags of its struct.
type spec struct {
	name   string // of the struct, for sugar
	label  string // JSON name of the field that holds the label; empty without one
	attrs  map[string]slot
	blocks map[string]slot
	kinds  map[string]int // blocks with their labels, for the JSON syntax
}

var specs = struct {
	sync.Mutex
	made map[reflect.Type]*spec
}{made: map[reflect.Type]*spec{}}

// jobSpec gives the spec of the job block.
func jobSpec() *spec {
	specs.Lock()
	defer specs.Unlock()
	return specOf(reflect.TypeFor[api.Job]())
}

// specOf makes the spec of a struct; the lock is held.
func specOf(t reflect.Type) *spec {
	if s, ok := specs.made[t]; ok {
		return s
	}
	s := &spec{name: t.Name(), attrs: map[string]slot{}, blocks: map[string]slot{}}
	specs.made[t] = s
	for i := range t.NumField() {
		s.field(t.Field(i))
	}
	s.extend()
	s.kinds = map[string]int{"dynamic": 1}
	for name, b := range s.blocks {
		s.kinds[name] = b.labels
	}
	return s
}

func (s *spec) field(f reflect.StructField) {
	name, option, _ := strings.Cut(f.Tag.Get("hcl"), ",")
	json, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if json == "" {
		json = f.Name
	}
	switch {
	case name == "-":
	case option == "label":
		s.label = json
	case option == "block":
		s.blocks[name] = blockSlot(json, f.Type)
	case name != "":
		s.attrs[name] = slot{json: json}
	}
}

func blockSlot(json string, t reflect.Type) slot {
	switch t.Kind() {
	case reflect.Pointer:
		return slot{json: json, form: single, inner: specOf(t.Elem())}
	case reflect.Slice:
		elem := t.Elem()
		if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		inner := specOf(elem)
		return slot{json: json, form: repeated, inner: inner, labels: inner.labelCount()}
	case reflect.Map:
		switch t.Elem().Kind() {
		case reflect.Pointer:
			return slot{json: json, form: keyed, inner: specOf(t.Elem().Elem()), labels: 1}
		case reflect.String:
			return slot{json: json, form: textMap}
		case reflect.Slice:
			return slot{json: json, form: listMap}
		}
		return slot{json: json, form: freeMap}
	}
	panic("jobspec: no block form for " + t.String())
}

func (s *spec) labelCount() int {
	if s.label == "" {
		return 0
	}
	return 1
}

// extend adds what job files may say that the structs do not.
func (s *spec) extend() {
	switch s.name {
	case "Job":
		s.label = "ID"
		s.attrs["vault_token"] = slot{}
		s.attrs["consul_token"] = slot{}
		s.blocks["vault"] = slot{json: "", form: single, inner: specOf(reflect.TypeFor[api.Vault]())}
		s.blocks["secret"] = slot{json: "", form: repeated, inner: specOf(reflect.TypeFor[api.Secret]()), labels: 1}
		s.blocks["task"] = slot{json: "", form: repeated, inner: specOf(reflect.TypeFor[api.Task]()), labels: 1}
	case "Constraint", "Affinity":
		for name := range sugarOf(s.name) {
			s.attrs[name] = slot{}
		}
	}
}

// names lists the attributes and blocks, for suggestions.
func (s *spec) names() []string {
	out := make([]string, 0, len(s.attrs)+len(s.blocks))
	for name := range s.attrs {
		out = append(out, name)
	}
	for name := range s.blocks {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// sugarOf gives the short forms of constraints and affinities.
func sugarOf(name string) map[string]bool {
	out := map[string]bool{
		api.ConstraintRegexp: true, api.ConstraintVersion: true, api.ConstraintSemver: true, api.ConstraintSetContains: true,
		api.ConstraintSetContainsAll: true, api.ConstraintSetContainsAny: true,
	}
	if name == "Constraint" {
		for _, op := range []string{api.ConstraintDistinctHosts, api.ConstraintDistinctProperty, api.ConstraintIsSet, api.ConstraintIsNotSet} {
			out[op] = true
		}
	}
	return out
}
