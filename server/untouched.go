package server

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/seraihq/serai/api"
)

// A request that wants to know whether it has left anything in the log carries a
// mark.
type markKey struct{}

func marked(ctx context.Context) (context.Context, *atomic.Bool) {
	mark := new(atomic.Bool)
	return context.WithValue(ctx, markKey{}, mark), mark
}

// touched notes that a command of the request is in the log, or may be.
func touched(ctx context.Context) {
	if mark, ok := ctx.Value(markKey{}).(*atomic.Bool); ok {
		mark.Store(true)
	}
}

// certain makes sure that an error of kind api.ErrNoLeader says that nothing was
// done: who gets it may ask another server without doing anything twice.
func certain(err error, mark *atomic.Bool) error {
	if mark.Load() && errors.Is(err, api.ErrNoLeader) {
		return api.Errorf(api.ErrUnavailable, "a part of the request may have been done: %v", err)
	}
	return err
}
