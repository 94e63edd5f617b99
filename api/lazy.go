package api

import (
	"regexp"
	"sync"
)

// form is a regular expression that is compiled when it is first asked: programs
// that only use the types do not pay for it.
type form func() *regexp.Regexp

func newForm(expr string) form {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// MatchString is whether s has a match.
func (f form) MatchString(s string) bool { return f().MatchString(s) }
