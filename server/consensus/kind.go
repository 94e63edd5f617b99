package consensus

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/api"
)

// kind gives an error of Raft the kind that callers look at.
func kind(what string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return &fault{api.ErrNoLeader, what, err}
	}
	if errors.Is(err, raft.ErrLeadershipLost) {
		err = fmt.Errorf("%w; nobody knows yet whether it was done: look before you ask again", err)
	}
	return &fault{api.ErrUnavailable, what, err}
}

// fault is an error of Raft with its kind.
type fault struct {
	kind error
	what string
	err  error
}

func (f *fault) Error() string { return f.what + ": " + f.err.Error() }

// Unwrap gives the kind and the cause.
func (f *fault) Unwrap() []error { return []error{f.kind, f.err} }
