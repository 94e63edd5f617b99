package planner

import (
	"log/slog"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/slow"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/server/state"
)

// measure records how long something took.
func measure(name string, start time.Time) { telemetry.Since(start, parts(name)...) }

// count adds to a counter.
func count(name string, n int) {
	if n > 0 {
		telemetry.Count(n, parts(name)...)
	}
}

// parts gives a name's parts; those of the servers all begin with "nomad".
func parts(name string) []string { return append([]string{"nomad"}, strings.Split(name, ".")...) }

// tellSlow logs an evaluation that took the scheduler long, with what makes it
// large.
func tellSlow(log *slog.Logger, took time.Duration, x *api.Evaluation, view *state.View, plan *scheduler.Plan) {
	facts := []any{"eval_id", x.ID, "job", x.JobID, "namespace", x.Namespace, "type", x.Type, "nodes", view.NodeCount()}
	if j, ok := view.Job(x.Namespace, x.JobID); ok {
		wanted, constraints, spreads := 0, len(j.Constraints), len(j.Spreads)
		for _, g := range j.TaskGroups {
			wanted += g.Count
			constraints, spreads = constraints+len(g.Constraints), spreads+len(g.Spreads)
		}
		facts = append(facts, "wanted", wanted, "constraints", constraints, "spreads", spreads)
	}
	if plan != nil {
		facts = append(facts, "placements", len(plan.Placements), "stops", len(plan.Stops))
	}
	slow.Evaluation.Tell(log, took, facts...)
}
