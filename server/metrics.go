package server

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/server/state"
)

const measureEvery = 5 * time.Second

// measure puts figures of the parts into the metrics from time to time.
func (s *Server) measure(ctx context.Context) error {
	defer telemetry.Derive(func(gauge telemetry.GaugeFunc) { summaries(s.store.View(), gauge) })()
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		s.gauges()
		telemetry.PushDerived()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// counters are those that an operator watches: they are there from the start, so
// that what has not happened yet is 0 and not unknown.
var counters = [][]string{
	{"rpc", "request"}, {"rpc", "query"}, {"rpc", "write"}, {"rpc", "request_error"}, {"heartbeat", "invalidate"},
	{"plan", "node_rejected"}, {"snapshot", "saved"}, {"snapshot", "failed"},
}

// raftCounters are Raft's own, which it counts seldom.
var raftCounters = [][]string{{"state", "leader"}, {"state", "candidate"}, {"transition", "heartbeat_timeout"}}

func (s *Server) gauges() {
	for _, name := range counters {
		telemetry.Count(0, append([]string{"nomad"}, name...)...)
	}
	for _, name := range raftCounters {
		telemetry.Count(0, append([]string{"raft"}, name...)...)
	}
	telemetry.Gauge(float64(len(s.Peers())), "raft", "peers")
	b := s.broker.Stats()
	gauge := func(v int, name ...string) { telemetry.Gauge(float64(v), append([]string{"nomad"}, name...)...) }
	gauge(b.Ready, "broker", "total_ready")
	gauge(b.Unacked, "broker", "total_unacked")
	gauge(b.Pending, "broker", "total_pending")
	gauge(b.Waiting, "broker", "total_waiting")
	gauge(b.Blocked, "blocked_evals", "total_blocked")
	gauge(b.Escaped, "blocked_evals", "total_escaped")
	v := s.store.View()
	gauge(v.NodeCount(), "state", "nodes")
	gauge(v.AllocationCount(), "state", "allocs")
	telemetry.Gauge(float64(v.Index()), "nomad", "state", "latestIndex")
	gauge(v.Protocol(), "protocol", "version")
	gauge(map[bool]int{true: 1}[s.raft.Leader()], "leader", "is_leader")
	statuses := map[string]int{api.JobStatusPending: 0, api.JobStatusRunning: 0, api.JobStatusDead: 0}
	for j := range v.Jobs() {
		statuses[j.Status]++
	}
	for status, n := range statuses {
		gauge(n, "job_status", status)
	}
	down := 0
	for n := range v.Nodes() {
		if n.Status == api.NodeStatusDown {
			down++
		}
	}
	gauge(down, "state", "nodes_down")
	heartbeats := 0
	for n := range v.Nodes() {
		if n.Ready() {
			heartbeats++
		}
	}
	gauge(heartbeats, "heartbeat", "active")
	brake := s.heartbeat.BrakeState()
	gauge(brake.Held, "heartbeat", "brake_held")
	gauge(map[bool]int{true: 1}[brake.Holds], "heartbeat", "brake")
}

// maxSummaries is how many jobs have metrics of their own: each costs whoever
// collects them seven series per group.
const maxSummaries = 1000

// summaries tells how the allocations of each job are, by group; of the jobs
// that are not over when there are many.
func summaries(v *state.View, gauge telemetry.GaugeFunc) {
	many := v.JobCount() > maxSummaries
	told := 0
	for s := range v.JobSummaries() {
		if many {
			if j, ok := v.Job(s.Namespace, s.JobID); !ok || j.Status == api.JobStatusDead {
				continue
			}
		}
		if told++; told > maxSummaries {
			return
		}
		for group, n := range s.Summary {
			labels := []telemetry.Label{{Name: "job", Value: s.JobID}, {Name: "task_group", Value: group}, {Name: "namespace", Value: s.Namespace}}
			for _, g := range []struct {
				name  string
				count int
			}{
				{"queued", n.Queued}, {"complete", n.Complete}, {"failed", n.Failed}, {"running", n.Running},
				{"starting", n.Starting}, {"lost", n.Lost}, {"unknown", n.Unknown},
			} {
				gauge(float64(g.count), labels, "nomad", "job_summary", g.name)
			}
		}
	}
}
