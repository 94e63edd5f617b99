package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
)

// harmlessTwice are the writes that may be done twice, also when something else was
// done in between: they ask for work and set nothing. They are sent again when the
// leader dies over them. What sets something is not, although it would be the same
// after the second time: what somebody else has set since would be taken back.
var harmlessTwice = []*api.Endpoint{
	api.JobEvaluate.Endpoint, api.AllocationStop.Endpoint, api.NodeEvaluate.Endpoint, api.SystemGC.Endpoint, api.SystemReconcileSummaries.Endpoint,
}

// twiceKey is in the context of requests that may be done twice.
type twiceKey struct{}

// keepBody reads the body of a request, which may have to be sent again, and notes
// whether that may be so although it may have been done.
func keepBody(r *http.Request, op *api.Endpoint) (*http.Request, error) {
	twice := slices.Contains(harmlessTwice, op)
	if r.Body == nil || op.Kind == api.Read && !twice {
		return r, nil
	}
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, listen.TooLarge(large.Limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read request body: %w", err)
	}
	r = r.WithContext(context.WithValue(r.Context(), twiceKey{}, twice))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return r, nil
}

// again gives a request as it was before it was sent.
func again(r *http.Request) *http.Request {
	if r.GetBody == nil {
		return r
	}
	next := r.Clone(r.Context())
	next.Body, _ = r.GetBody()
	return next
}

// harmless says whether a request may be done twice.
func harmless(r *http.Request) bool {
	twice, _ := r.Context().Value(twiceKey{}).(bool)
	return twice
}
