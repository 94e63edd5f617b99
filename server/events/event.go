package events

import (
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

var tables = []string{
	state.TableJobs, state.TableEvaluations, state.TableAllocations, state.TableDeployments,
	state.TableNodes, state.TableNodePools, state.TableACLPolicies, state.TableACLRoles, state.TableACLTokens,
}

var topicOf = map[string]string{
	state.TableJobs:        api.TopicJob,
	state.TableEvaluations: api.TopicEvaluation,
	state.TableAllocations: api.TopicAllocation,
	state.TableDeployments: api.TopicDeployment,
	state.TableNodes:       api.TopicNode,
	state.TableNodePools:   api.TopicNodePool,
	state.TableACLPolicies: api.TopicACLPolicy,
	state.TableACLRoles:    api.TopicACLRole,
	state.TableACLTokens:   api.TopicACLToken,
}

// events makes the events of a commit that the stream wants.
func (s *Stream) events(c *state.Commit) []*api.Event {
	var out []*api.Event
	for i := range c.Changes {
		x := &c.Changes[i]
		topic := topicOf[x.Table]
		keys, ok := s.filter.Topics[topic]
		if !ok {
			if keys, ok = s.filter.Topics[api.TopicAll]; !ok {
				continue
			}
		}
		e := eventOf(x)
		if e == nil || !s.filter.wants(e, keys) {
			continue
		}
		e.Topic, e.Index = topic, c.Index
		if e.FilterKeys == nil {
			e.FilterKeys = []string{}
		}
		out = append(out, e)
	}
	return out
}

func (f *Filter) wants(e *api.Event, keys []string) bool {
	if e.Namespace != "" && f.Namespace != api.AllNamespaces && f.Namespace != e.Namespace {
		return false
	}
	return slices.ContainsFunc(keys, func(k string) bool {
		return k == api.TopicAll || k == e.Key || slices.Contains(e.FilterKeys, k)
	})
}

// eventOf tells of one change; nil when it is none that people are told of.
func eventOf(c *state.Change) *api.Event {
	switch c.Table {
	case state.TableJobs:
		return jobEvent(pair[api.Job](c))
	case state.TableEvaluations:
		return evaluationEvent(pair[api.Evaluation](c))
	case state.TableAllocations:
		return allocationEvent(pair[api.Allocation](c))
	case state.TableDeployments:
		return deploymentEvent(pair[api.Deployment](c))
	case state.TableNodes:
		return nodeEvent(pair[api.Node](c))
	case state.TableNodePools:
		return nodePoolEvent(pair[api.NodePool](c))
	case state.TableACLPolicies:
		old, now := pair[api.ACLPolicy](c)
		return aclEvent("ACLPolicy", old, now, func(p *api.ACLPolicy) (string, any) { return p.Name, p })
	case state.TableACLRoles:
		old, now := pair[api.ACLRole](c)
		return aclEvent("ACLRole", old, now, func(r *api.ACLRole) (string, any) { return r.ID, r })
	case state.TableACLTokens:
		old, now := pair[api.ACLToken](c)
		return aclEvent("ACLToken", old, now, func(t *api.ACLToken) (string, any) { return t.AccessorID, t.Stub() })
	}
	return nil
}

func pair[T any](c *state.Change) (old, now *T) {
	old, _ = c.Old.(*T)
	now, _ = c.New.(*T)
	return old, now
}

// jobEvent tells of what users did to a job. Changes of its status are told by
// its evaluations and allocations.
func jobEvent(old, now *api.Job) *api.Event {
	kind, j := "JobRegistered", now
	switch {
	case now == nil:
		kind, j = "JobDeregistered", old
	case old == nil:
	case now.Stop && !old.Stop:
		kind = "JobDeregistered"
	case now.JobModifyIndex == old.JobModifyIndex && now.Stable == old.Stable:
		return nil
	}
	return &api.Event{Type: kind, Key: j.ID, Namespace: j.Namespace, Payload: map[string]any{"Job": j}}
}

func evaluationEvent(old, now *api.Evaluation) *api.Event {
	if now == nil {
		return nil // collected
	}
	return &api.Event{
		Type: "EvaluationUpdated", Key: now.ID, Namespace: now.Namespace,
		FilterKeys: present(now.JobID, now.DeploymentID), Payload: map[string]any{"Evaluation": now},
	}
}

func allocationEvent(old, now *api.Allocation) *api.Event {
	if now == nil {
		return nil // collected
	}
	kind := "AllocationUpdated"
	switch {
	case old == nil:
		kind = "PlanResult"
	case old.DesiredTransition != now.DesiredTransition:
		kind = "AllocationUpdateDesiredStatus"
	case old.AllocModifyIndex != now.AllocModifyIndex:
		kind = "PlanResult"
	}
	a := *now
	a.Job = nil // the job has a topic of its own
	return &api.Event{
		Type: kind, Key: a.ID, Namespace: a.Namespace,
		FilterKeys: present(a.JobID, a.DeploymentID), Payload: map[string]any{"Allocation": &a},
	}
}

func deploymentEvent(old, now *api.Deployment) *api.Event {
	if now == nil {
		return nil
	}
	kind := "DeploymentStatusUpdate"
	if old != nil && old.Status == now.Status {
		kind = deploymentChange(old, now)
	}
	return &api.Event{
		Type: kind, Key: now.ID, Namespace: now.Namespace,
		FilterKeys: present(now.JobID), Payload: map[string]any{"Deployment": now},
	}
}

// deploymentChange names what has changed in a deployment that goes on.
func deploymentChange(old, now *api.Deployment) string {
	kind := "DeploymentStatusUpdate"
	for name, s := range now.TaskGroups {
		was := old.TaskGroups[name]
		switch {
		case was == nil:
		case s.Promoted && !was.Promoted:
			return "DeploymentPromotion"
		case s.HealthyAllocs != was.HealthyAllocs || s.UnhealthyAllocs != was.UnhealthyAllocs:
			kind = "DeploymentAllocHealth"
		}
	}
	return kind
}

func nodeEvent(old, now *api.Node) *api.Event {
	kind, n := "NodeRegistration", now
	switch {
	case now == nil:
		kind, n = "NodeDeregistration", old
	case old == nil:
	case old.SchedulingEligibility != now.SchedulingEligibility:
		kind = "NodeEligibility"
	case old.DrainStrategy != now.DrainStrategy:
		kind = "NodeDrain"
	case len(old.Events) != len(now.Events) || old.Status != now.Status:
		kind = "NodeEvent"
	}
	return &api.Event{Type: kind, Key: n.ID, Payload: map[string]any{"Node": n}}
}

func nodePoolEvent(old, now *api.NodePool) *api.Event {
	kind, p := "NodePoolUpserted", now
	if now == nil {
		kind, p = "NodePoolDeleted", old
	}
	return &api.Event{Type: kind, Key: p.Name, Payload: map[string]any{"NodePool": p}}
}

// aclEvent tells of a change of access control; show gives the key of an object
// and what is told of it.
func aclEvent[T any](kind string, old, now *T, show func(*T) (key string, payload any)) *api.Event {
	what, x := kind+"Upserted", now
	if now == nil {
		what, x = kind+"Deleted", old
	}
	key, payload := show(x)
	return &api.Event{Type: what, Key: key, Payload: map[string]any{kind: payload}}
}

func present(keys ...string) []string {
	return slices.DeleteFunc(keys, func(k string) bool { return k == "" })
}
