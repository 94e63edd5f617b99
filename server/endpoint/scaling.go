package endpoint

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

func (e *Endpoints) scaling() {
	read(e, api.ScalingPoliciesList, scalingPoliciesList)
	read(e, api.ScalingPolicyRead, scalingPolicyRead)
}

// policies gives the scaling policies of the groups of jobs. They are read from
// the jobs themselves, so that they never differ from them.
func policies(jobs iter.Seq[*api.Job]) iter.Seq[*api.ScalingPolicy] {
	return func(yield func(*api.ScalingPolicy) bool) {
		for j := range jobs {
			if j.Stop {
				continue
			}
			for _, g := range j.TaskGroups {
				if g.Scaling != nil && !yield(policyOf(j, g)) {
					return
				}
			}
		}
	}
}

func policyOf(j *api.Job, g *api.TaskGroup) *api.ScalingPolicy {
	p := *g.Scaling
	p.ID = policyID(j.Namespace, j.ID, g.Name)
	p.Namespace = j.Namespace
	p.Target = map[string]string{"Namespace": j.Namespace, "Job": j.ID, "Group": g.Name}
	p.CreateIndex, p.ModifyIndex = j.CreateIndex, j.JobModifyIndex
	if p.Type == "" {
		p.Type = "horizontal"
	}
	return &p
}

// policyID names a policy by what it scales, in the form of a UUID.
func policyID(namespace, job, group string) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + job + "\x00" + group))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func scalingPoliciesList(r *Read, req *api.ScalingPoliciesRequest) ([]*api.ScalingPolicyListStub, error) {
	rows := r.Jobs()
	if r.Namespace != api.AllNamespaces {
		rows = r.JobsIn(r.Namespace)
	}
	l := byName(policies(rows), func(p *api.ScalingPolicy) string { return p.ID }, policyStub)
	l.order = func(a, b *api.ScalingPolicy) int { return cmp.Compare(a.ID, b.ID) }
	l.match = func(p *api.ScalingPolicy) bool {
		return r.in(p.Namespace) && (req.JobID == "" || p.Target["Job"] == req.JobID) && strings.HasPrefix(p.Type, req.Type) && strings.HasPrefix(p.ID, req.Prefix)
	}
	return page(r, &req.QueryOptions, l)
}

func policyStub(p *api.ScalingPolicy) *api.ScalingPolicyListStub {
	return &api.ScalingPolicyListStub{ID: p.ID, Enabled: p.Enabled, Type: p.Type, Target: p.Target, CreateIndex: p.CreateIndex, ModifyIndex: p.ModifyIndex}
}

func scalingPolicyRead(r *Read, req *api.IDRequest) (*api.ScalingPolicy, error) {
	if p := policyByID(r.View, req.ID); p != nil {
		return p, nil
	}
	return nil, api.Errorf(api.ErrNotFound, "scaling policy not found")
}

func policyByID(v *state.View, id string) *api.ScalingPolicy {
	for p := range policies(v.Jobs()) {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// jobScaleStatus gives the counts of a job's groups.
func jobScaleStatus(r *Read, req *api.JobReadRequest) (*api.JobScaleStatus, error) {
	j, err := getJob(r.View, r.Namespace, req.ID)
	if err != nil {
		return nil, err
	}
	events, _ := r.ScalingEvents(j.Namespace, j.ID)
	groups := map[string]api.TaskGroupScaleStatus{}
	for _, g := range j.TaskGroups {
		s := api.TaskGroupScaleStatus{Desired: g.Count, Events: []*api.ScalingEvent{}}
		if events != nil && events.Events[g.Name] != nil {
			s.Events = events.Events[g.Name]
		}
		groups[g.Name] = s
	}
	for a := range r.AllocationsByJob(j.Namespace, j.ID) {
		s, ok := groups[a.TaskGroup]
		if !ok || a.Terminal() || a.Job != nil && a.Job.CreateIndex != j.CreateIndex {
			continue
		}
		countAlloc(&s, a)
		groups[a.TaskGroup] = s
	}
	return &api.JobScaleStatus{
		JobID: j.ID, Namespace: j.Namespace, JobCreateIndex: j.CreateIndex,
		JobModifyIndex: j.ModifyIndex, JobStopped: j.Stop, TaskGroups: groups,
	}, nil
}

func countAlloc(s *api.TaskGroupScaleStatus, a *api.Allocation) {
	s.Placed++
	if a.ClientStatus == api.AllocClientRunning {
		s.Running++
	}
	if d := a.DeploymentStatus; d != nil && d.Healthy != nil {
		if *d.Healthy {
			s.Healthy++
		} else {
			s.Unhealthy++
		}
	}
}
