package auth

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// match says whether a name fits a glob, in which a star stands for any text.
func match(glob, name string) bool {
	first, rest, more := strings.Cut(glob, "*")
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	if !more {
		return name == ""
	}
	for {
		part, after, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name, rest = name[at+len(part):], after
	}
}

// rules maps names and globs to what is granted there.
type rules[T any] struct {
	exact map[string]T
	globs []globRule[T] // the most specific first

	memo    atomic.Pointer[sync.Map] // name → *T, nil where nothing fits
	entries atomic.Int32
}

type globRule[T any] struct {
	glob    string
	letters int // that are no star
	grant   T
}

// maxMemo bounds the names that are remembered: a caller can ask for any.
const maxMemo = 4096

// newRules orders the rules.
func newRules[T any](byName map[string]T) *rules[T] {
	r := &rules[T]{exact: map[string]T{}}
	for name, grant := range byName {
		if !strings.Contains(name, "*") {
			r.exact[name] = grant
			continue
		}
		r.globs = append(r.globs, globRule[T]{name, len(name) - strings.Count(name, "*"), grant})
	}
	slices.SortFunc(r.globs, func(a, b globRule[T]) int {
		return cmp.Or(cmp.Compare(b.letters, a.letters), cmp.Compare(strings.Count(a.glob, "*"), strings.Count(b.glob, "*")), strings.Compare(a.glob, b.glob))
	})
	r.memo.Store(&sync.Map{})
	return r
}

// lookup finds the most specific rule for a name.
func (r *rules[T]) lookup(name string) (grant T, ok bool) {
	if grant, ok = r.exact[name]; ok || len(r.globs) == 0 {
		return grant, ok
	}
	memo := r.memo.Load()
	if known, hit := memo.Load(name); hit {
		if p := known.(*T); p != nil {
			return *p, true
		}
		return grant, false
	}
	var found *T
	for i := range r.globs {
		if match(r.globs[i].glob, name) {
			found = &r.globs[i].grant
			break
		}
	}
	if r.entries.Add(1) > maxMemo {
		memo = &sync.Map{}
		r.memo.Store(memo)
		r.entries.Store(1)
	}
	memo.Store(strings.Clone(name), found)
	if found == nil {
		return grant, false
	}
	return *found, true
}

// any says whether a rule fits the test.
func (r *rules[T]) any(test func(T) bool) bool {
	for _, grant := range r.exact {
		if test(grant) {
			return true
		}
	}
	return slices.ContainsFunc(r.globs, func(g globRule[T]) bool { return test(g.grant) })
}

func (r *rules[T]) empty() bool { return len(r.exact) == 0 && len(r.globs) == 0 }
