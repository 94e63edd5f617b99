// Package pattern has regular expressions that are compiled when they are first used. Those of package variables would otherwise be compiled by every
// process of the binary at its start: the command line, the drivers' hosts, and the first process of each container. It holds no state of its own.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression. Its methods are those of regexp.Regexp.
type Pattern struct {
	expr     string
	compiled func() *regexp.Regexp
}

// New returns the pattern; one that cannot be compiled panics at its first use.
func New(expr string) *Pattern {
	return &Pattern{expr: expr, compiled: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })}
}

// String returns the source.
func (p *Pattern) String() string { return p.expr }

// MatchString is whether s has a match.
func (p *Pattern) MatchString(s string) bool { return p.compiled().MatchString(s) }

// FindStringSubmatch returns the first match in s and those of its groups; nil when there is none.
func (p *Pattern) FindStringSubmatch(s string) []string { return p.compiled().FindStringSubmatch(s) }

// FindSubmatch returns the first match in b and those of its groups; nil when there is none.
func (p *Pattern) FindSubmatch(b []byte) [][]byte { return p.compiled().FindSubmatch(b) }

// Find returns the first match in b; nil when there is none.
func (p *Pattern) Find(b []byte) []byte { return p.compiled().Find(b) }

// FindAllStringIndex returns where in s the first n matches are, all when n is negative.
func (p *Pattern) FindAllStringIndex(s string, n int) [][]int {
	return p.compiled().FindAllStringIndex(s, n)
}
