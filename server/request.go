package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/slow"
	"github.com/seraihq/serai/internal/telemetry"
)

// measureRequest counts an operation that was answered, and logs it when it was
// slow. Reads that waited for a change are not timed: they waited on purpose.
func (s *Server) measureRequest(op *api.Endpoint, req any, start time.Time, meta api.Meta, err error) {
	telemetry.Count(1, "nomad", "rpc", "request")
	if op.Kind == api.Write {
		telemetry.Count(1, "nomad", "rpc", "write")
	} else {
		telemetry.Count(1, "nomad", "rpc", "query")
	}
	if errors.Is(err, api.ErrNoLeader) && meta.KnownLeader {
		return // the leader counts it
	}
	if err != nil && api.Status(err) >= 500 && !errors.Is(err, context.Canceled) {
		telemetry.Count(1, "nomad", "rpc", "request_error")
	}
	if q, ok := req.(interface{ Options() *api.QueryOptions }); ok && q.Options().Index > 0 {
		return
	}
	telemetry.Since(start, append([]string{"nomad"}, strings.Split(strings.ToLower(op.Name), ".")...)...)
	took := time.Since(start)
	if !slow.Request.Over(took) {
		return
	}
	facts := []any{"operation", op.Name}
	if err != nil {
		facts = append(facts, "err", err)
	}
	if op.Kind == api.Write {
		facts = append(facts, "next", "a line about a command that was slow to be committed tells why")
	} else {
		facts = append(facts, "allocations", s.store.View().AllocationCount(), "next", "ask with a filter on the server, per_page, or a narrower prefix")
	}
	slow.Request.Tell(s.cfg.Logger.With("component", "http"), took, facts...)
}
