package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
)

// harmlessTwice are the writes that may be done twice: what they set is the same
// after the second time. They are sent again when the leader dies over them.
var harmlessTwice = []*api.Endpoint{
	api.JobsRegister.Endpoint, api.JobUpdate.Endpoint, api.JobStable.Endpoint,
	api.NamespaceUpsert.Endpoint, api.NamespaceWrite.Endpoint, api.NodePoolUpsert.Endpoint, api.NodePoolWrite.Endpoint,
	api.NodeEligibility.Endpoint, api.ACLPolicyWrite.Endpoint, api.SystemGC.Endpoint, api.SystemReconcileSummaries.Endpoint,
}

// keepBody reads the body of a request that may have to be sent again.
func keepBody(r *http.Request, op *api.Endpoint) error {
	if !slices.Contains(harmlessTwice, op) || r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return listen.TooLarge(large.Limit)
	}
	if err != nil {
		return fmt.Errorf("read request body: %w", err)
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return nil
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

// kept says whether a request is one that may be done twice. One that insists on
// the index that it changes would be refused the second time.
func kept(r *http.Request) bool {
	if r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	var on struct{ EnforceIndex bool }
	err = json.NewDecoder(body).Decode(&on)
	return (err == nil || errors.Is(err, io.EOF)) && !on.EnforceIndex
}
