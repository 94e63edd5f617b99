package endpoint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

func (e *Endpoints) deploymentWrites() {
	write(e, api.DeploymentPromote, deploymentPromote)
	write(e, api.DeploymentPause, deploymentPause)
	write(e, api.DeploymentFail, deploymentFail)
	write(e, api.DeploymentUnblock, deploymentUnblock)
	write(e, api.DeploymentHealth, deploymentHealth)
}

// named finds the deployment that a request is about.
func named(w *Write, req *api.DeploymentRequest) (*api.Deployment, error) {
	if req.DeploymentID != "" && req.DeploymentID != req.ID {
		return nil, api.Errorf(api.ErrInvalid, "the path names deployment %q and the body %q; let them agree", req.ID, req.DeploymentID)
	}
	return getDeployment(w.View, req.ID)
}

// deploymentEval makes the evaluation that follows when somebody acts on a
// deployment.
func deploymentEval(w *Write, d *api.Deployment) *api.Evaluation {
	j, ok := w.Job(d.Namespace, d.JobID)
	if !ok {
		return nil
	}
	x := trigger.ForJob(j, api.TriggerDeploymentWatcher, w.Now)
	x.DeploymentID = d.ID
	if d.EvalPriority > 0 {
		x.Priority = d.EvalPriority
	}
	return x
}

// actOn has a command on a deployment applied and answers with what it came to.
func actOn(w *Write, c fsm.Command, x *api.Evaluation) (api.DeploymentUpdateResponse, error) {
	var resp api.DeploymentUpdateResponse
	result, err := w.apply(c)
	if err != nil {
		return resp, err
	}
	if x != nil {
		resp.EvalID, resp.EvalCreateIndex = x.ID, w.Index
	}
	var changed fsm.DeploymentChanged
	switch r := result.(type) {
	case *fsm.DeploymentChanged:
		changed = *r
	case *fsm.DeploymentsChanged:
		changed = r.Changed[0]
	}
	if changed.Deployment != nil {
		resp.DeploymentModifyIndex = changed.Deployment.ModifyIndex
	}
	resp.RevertedJobVersion = changed.Reverted
	return resp, nil
}

func deploymentPromote(w *Write, req *api.DeploymentPromoteRequest) (api.DeploymentUpdateResponse, error) {
	d, err := named(w, &req.DeploymentRequest)
	if err != nil {
		return api.DeploymentUpdateResponse{}, err
	}
	if !req.All && len(req.Groups) == 0 {
		return api.DeploymentUpdateResponse{}, api.Errorf(api.ErrInvalid, "promote deployment %s: name the groups, or ask for all", d.ID)
	}
	c := &fsm.DeploymentPromote{ID: d.ID, Time: w.Now.UnixNano(), Eval: deploymentEval(w, d)}
	if !req.All {
		c.Groups = req.Groups
	}
	return actOn(w, c, c.Eval)
}

func deploymentPause(w *Write, req *api.DeploymentPauseRequest) (api.DeploymentUpdateResponse, error) {
	d, err := named(w, &req.DeploymentRequest)
	if err != nil {
		return api.DeploymentUpdateResponse{}, err
	}
	c := &fsm.DeploymentPause{ID: d.ID, Pause: req.Pause, Time: w.Now.UnixNano()}
	if !req.Pause {
		c.Eval = deploymentEval(w, d)
	}
	return actOn(w, c, c.Eval)
}

// deploymentFail ends a deployment; the job goes back if any of its groups would.
func deploymentFail(w *Write, req *api.DeploymentRequest) (api.DeploymentUpdateResponse, error) {
	d, err := named(w, req)
	if err != nil {
		return api.DeploymentUpdateResponse{}, err
	}
	v := fsm.DeploymentVerdict{ID: d.ID, Status: api.DeploymentFailed, Description: api.DeploymentDescByUser, Eval: deploymentEval(w, d)}
	for _, s := range d.TaskGroups {
		v.Revert = v.Revert || s.AutoRevert
	}
	return actOn(w, &fsm.DeploymentVerdicts{Time: w.Now.UnixNano(), Verdicts: []fsm.DeploymentVerdict{v}}, v.Eval)
}

func deploymentUnblock(w *Write, req *api.DeploymentRequest) (api.DeploymentUpdateResponse, error) {
	d, err := named(w, req)
	if err != nil {
		return api.DeploymentUpdateResponse{}, err
	}
	return api.DeploymentUpdateResponse{}, api.Errorf(api.ErrInvalid, "can't unblock deployment %s: only a deployment of a multiregion job waits for another region, and this one is of one region; it is %s", d.ID, d.Status)
}

func deploymentHealth(w *Write, req *api.DeploymentHealthRequest) (api.DeploymentUpdateResponse, error) {
	d, err := named(w, &req.DeploymentRequest)
	if err != nil {
		return api.DeploymentUpdateResponse{}, err
	}
	if len(req.HealthyAllocationIDs)+len(req.UnhealthyAllocationIDs) == 0 {
		return api.DeploymentUpdateResponse{}, api.Errorf(api.ErrInvalid, "set the health of allocations of deployment %s: name at least one healthy or unhealthy allocation", d.ID)
	}
	healthy := map[string]bool{}
	for _, id := range req.HealthyAllocationIDs {
		healthy[id] = true
	}
	for _, id := range req.UnhealthyAllocationIDs {
		if healthy[id] {
			return api.DeploymentUpdateResponse{}, api.Errorf(api.ErrInvalid, "allocation %s is named as healthy and as unhealthy", id)
		}
	}
	c := &fsm.DeploymentHealth{
		ID: d.ID, Healthy: req.HealthyAllocationIDs, Unhealthy: req.UnhealthyAllocationIDs,
		Time: w.Now.UnixNano(), Eval: deploymentEval(w, d),
	}
	return actOn(w, c, c.Eval)
}
