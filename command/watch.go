package command

import (
	"context"
	"sync"

	"github.com/seraihq/serai/api"
)

// reading is what a watch has read.
type reading[T any] struct {
	value T
	err   error
}

// query is a pointer to a request of a read.
type query[Req any] interface {
	*Req
	Options() *api.QueryOptions
}

// watch reads something again whenever it has changed since an index, until ctx
// ends or a read fails. The goroutine counts in wg.
func watch[Req, Resp any, Q query[Req]](ctx context.Context, wg *sync.WaitGroup, s *session, op api.Op[Req, Resp], req Req, index uint64) <-chan reading[Resp] {
	updates := make(chan reading[Resp])
	wg.Go(func() {
		options := Q(&req).Options()
		options.Index, options.Wait = index, api.Duration(followWait)
		for {
			value, meta, err := api.Call(ctx, s.client, op, &req)
			select {
			case <-ctx.Done():
				return
			case updates <- reading[Resp]{value, err}:
			}
			if err != nil {
				return
			}
			options.Index = meta.Index
		}
	})
	return updates
}

// until reads something until it is as wanted.
func until[Req, Resp any, Q query[Req]](ctx context.Context, s *session, op api.Op[Req, Resp], req Req, ok func(Resp) bool) (Resp, error) {
	for {
		value, meta, err := api.Call(ctx, s.client, op, &req)
		if err != nil || ok(value) {
			return value, err
		}
		options := Q(&req).Options()
		options.Index, options.Wait = meta.Index, api.Duration(followWait)
	}
}
