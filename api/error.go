package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Kinds of errors. Every error that crosses a boundary wraps one of them;
// nobody compares texts.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrInvalid     = errors.New("invalid")
	ErrDenied      = errors.New("permission denied")
	ErrNoLeader    = errors.New("no cluster leader")
	ErrUnavailable = errors.New("unavailable")
	ErrTooLarge    = errors.New("too large")
	ErrNotBuilt    = errors.New("not supported")
)

// Error is an error of one of the kinds above, with the text that a user sees.
type Error struct {
	Kind error
	Text string
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the kind, for errors.Is.
func (e *Error) Unwrap() error { return e.Kind }

// Errorf makes an error of a kind; the text is all that is shown.
func Errorf(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

var statusOfKind = []struct {
	kind   error
	status int
}{
	{ErrNotFound, http.StatusNotFound},
	{ErrInvalid, http.StatusBadRequest},
	{ErrConflict, http.StatusConflict},
	{ErrDenied, http.StatusForbidden},
	{ErrTooLarge, http.StatusRequestEntityTooLarge},
	{ErrUnavailable, http.StatusServiceUnavailable},
	{ErrNotBuilt, http.StatusNotImplemented},
	{ErrNoLeader, http.StatusInternalServerError},
}

// Status gives the HTTP status of an error's kind; 500 where it has none.
func Status(err error) int {
	for _, s := range statusOfKind {
		if errors.Is(err, s.kind) {
			return s.status
		}
	}
	return http.StatusInternalServerError
}

// KindOfStatus is the reverse of Status; nil for a status that stands for no kind.
func KindOfStatus(status int) error {
	if status == http.StatusInternalServerError {
		return nil
	}
	for _, s := range statusOfKind {
		if s.status == status {
			return s.kind
		}
	}
	return nil
}

// Problem is one finding about an object, with the path of the field in the
// object's JSON form, for example "TaskGroups[0].Tasks[1].Resources.MemoryMB".
type Problem struct {
	Path string // field path; empty for the object as a whole
	Text string // reads on its own: `group "web": task "db": memory must be at least 10 MB`
}

// Problems are all findings about one object. It is an error of kind ErrInvalid.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Text
	}
	if len(lines) == 1 {
		return lines[0]
	}
	return fmt.Sprintf("%d problems:\n\n* %s", len(lines), strings.Join(lines, "\n* "))
}

// Unwrap makes errors.Is(err, ErrInvalid) true.
func (p Problems) Unwrap() error { return ErrInvalid }

// Err gives p as an error, or nil when there are no problems.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
