package api

import (
	"strconv"
	"strings"
	"unicode"
)

// Lengths of names, in bytes.
const (
	maxJobID    = 255 // also part of file names in exports and of paths in URLs
	maxNameSize = 128 // groups and tasks: parts of file and cgroup names
	maxAudience = 512 // one of an identity
)

var (
	identityName = newForm(`^[A-Za-z0-9_-]{1,128}$`)
	secretName   = newForm(`^[A-Za-z0-9_]{1,128}$`)
	portLabel    = newForm(`^[A-Za-z0-9_.-]{1,128}$`)
	serviceName  = newForm(`^(?i:[a-z0-9]|[a-z0-9][a-z0-9-]{0,61}[a-z0-9])$`)
	hostLabel    = newForm(`^(?i:[a-z0-9]|[a-z0-9][a-z0-9-]{0,61}[a-z0-9])$`)
	userName     = newForm(`^[A-Za-z0-9_][A-Za-z0-9_.@\\$-]*$`)
)

// interpolated says whether a text holds a reference that only a node resolves.
func interpolated(s string) bool { return strings.Contains(s, "${") }

func blank(s string) bool { return strings.ContainsFunc(s, unicode.IsSpace) }

func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

// CheckJobID says what is wrong with the ID of a job; nil when nothing is.
func CheckJobID(id string) error {
	v := &validator{}
	v.jobID(spot{}.field("ID", "job ID"), id)
	return v.problems.Err()
}

func (v *validator) jobID(at spot, id string) {
	switch {
	case id == "":
		v.addf(at, "must be set")
	case len(id) > maxJobID:
		v.addf(at, "has %d bytes; at most %d are allowed", len(id), maxJobID)
	case strings.ContainsRune(id, 0) || unprintable(id):
		v.addf(at, "%q must not hold NUL or other characters that cannot be printed", clip(id))
	case blank(id):
		v.addf(at, "%q must not hold spaces; use a dash", clip(id))
	case dotted(id):
		v.addf(at, "%q must not hold \".\" or \"..\" as a name of its own, nor begin or end with a slash", clip(id))
	}
}

// dotted says whether a slashed name has a part that means a folder or is empty.
func dotted(id string) bool {
	for _, part := range strings.FieldsFunc(id+"/x", func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return strings.HasPrefix(id, "/") || strings.HasSuffix(id, "/") || strings.Contains(id, "//")
}

func (v *validator) jobName(at spot, name string) {
	switch {
	case name == "":
		v.addf(at, "must be set")
	case len(name) > maxJobID:
		v.addf(at, "has %d bytes; at most %d are allowed", len(name), maxJobID)
	case unprintable(name):
		v.addf(at, "%q must not hold NUL or other characters that cannot be printed", clip(name))
	}
}

// name checks the name of a group or task, which becomes part of file names.
func (v *validator) name(at spot, what, name string) {
	at.name = "name"
	switch {
	case name == "":
		v.addf(at, "must be set: write %s \"NAME\" { … }", what)
	case len(name) > maxNameSize:
		v.addf(at, "has %d bytes; at most %d are allowed", len(name), maxNameSize)
	case unprintable(name):
		v.addf(at, "must not hold NUL or other characters that cannot be printed")
	case blank(name):
		v.addf(at, "must not hold spaces; use a dash")
	case strings.ContainsAny(name, `/\`):
		v.addf(at, "must not hold a slash, because it becomes part of file names")
	case name == "." || name == ".." || strings.HasPrefix(name, ".."):
		v.addf(at, "must not begin with \"..\", because it becomes part of file names")
	}
}

// user checks a task's user: a name, a number, or either with a group behind a
// colon. Numbers must fit, because some systems cut them off and end at root.
func (v *validator) user(at spot, user string) {
	if user == "" || interpolated(user) {
		return
	}
	const hint = "write a user name, or numbers such as \"1000\" or \"1000:1000\""
	if len(user) > 256 {
		v.addf(at, "has %d bytes; at most 256 are allowed", len(user))
		return
	}
	parts := strings.Split(user, ":")
	if len(parts) > 2 {
		v.addf(at, "%q has more than one colon: %s", clip(user), hint)
		return
	}
	for _, p := range parts {
		if !userName.MatchString(p) {
			v.addf(at, "%q is not a user: %s", clip(user), hint)
			return
		}
		if strings.Trim(p, "0123456789") != "" {
			continue
		}
		if _, err := strconv.ParseInt(p, 10, 32); err != nil {
			v.addf(at, "%q is out of range: IDs go from 0 to 2147483647", clip(user))
			return
		}
	}
}

// hostname checks a DNS name.
func (v *validator) hostname(at spot, name string) {
	if name == "" || interpolated(name) {
		return
	}
	if len(name) > 253 {
		v.addf(at, "has %d bytes; a DNS name has at most 253", len(name))
		return
	}
	for _, label := range strings.Split(name, ".") {
		if !hostLabel.MatchString(label) {
			v.addf(at, "%q is not a DNS name: use letters, digits, dashes and dots", clip(name))
			return
		}
	}
}

// CheckHostname says what is wrong with a host name that was put together on a
// node; nil: nothing.
func CheckHostname(name string) error {
	v := &validator{}
	v.hostname(spot{name: "hostname"}, name)
	if len(v.problems) > 0 || interpolated(name) {
		return Errorf(ErrInvalid, "%q is not a DNS name: use letters, digits, dashes and dots", clip(name))
	}
	return nil
}
