package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/sys/unix"
)

// Kinds of failures that another try does not mend.
const (
	KindInvalid  = "invalid"
	KindDenied   = "denied"
	KindTooLarge = "too large"
)

// failure is an error with its kind.
type failure struct {
	kind string
	text string
}

func (f *failure) Error() string { return f.text }

func invalid(format string, args ...any) error {
	return &failure{KindInvalid, fmt.Sprintf(format, args...)}
}

func denied(format string, args ...any) error {
	return &failure{KindDenied, fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) error {
	return &failure{KindTooLarge, fmt.Sprintf(format, args...)}
}

// answerTo makes an answer of an error. Addresses are taken out of it, for they
// may carry secrets; the parent names the source.
func answerTo(err error, limits Limits) Answer {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return Answer{Err: f.text, Kind: f.kind}
	}
	a := Answer{Err: err.Error(), Again: true}
	switch {
	case errors.Is(err, errStalled):
		a.Err = fmt.Sprintf("the server sent nothing for %v", limits.Stall)
	case errors.Is(err, context.DeadlineExceeded):
		a.Err = fmt.Sprintf("not done within %v, the limit of the agent's configuration", limits.Time)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		a.Err = "no space left on the disk of the node: " + err.Error()
	}
	return a
}
