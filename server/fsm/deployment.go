package fsm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// What follows the description of a deployment that failed, when its job was to
// be reverted.
const (
	describeRollback     = "%s - rolling back to job version %d"
	describeNoRollback   = "%s - no stable job version to auto revert to"
	describeSameRollback = "%s - not rolling back to stable job version %d as current job has same specification"
	describePoolGone     = "%s - not rolling back to stable job version %d as its node pool %q is gone"
	describeJobChanged   = "%s - not rolling back as the job has been changed since"
)

// DeploymentVerdicts says what becomes of deployments: what the leader found, or
// one that a user has failed. The result is a *DeploymentsChanged.
type DeploymentVerdicts struct {
	Time     int64 // Unix nanoseconds
	Verdicts []DeploymentVerdict
}

// DeploymentVerdict is one deployment of a DeploymentVerdicts.
type DeploymentVerdict struct {
	ID string

	// Seen is the ModifyIndex of the deployment that was judged: when it has
	// changed since, the verdict is void. 0 judges it as it is.
	Seen uint64

	Status      string // that it ends with; empty: it goes on
	Description string
	Revert      bool // the job goes back to its latest stable version

	Promote    []string // groups whose canaries are promoted
	Reschedule []string // failed allocations that may be placed anew

	Eval *api.Evaluation // that follows; nil for none
}

// DeploymentsChanged tells what became of a DeploymentVerdicts, one by one.
type DeploymentsChanged struct {
	Changed []DeploymentChanged
}

// DeploymentChanged tells what became of a change of a deployment.
type DeploymentChanged struct {
	Deployment *api.Deployment // as stored; nil when nothing was changed
	Reverted   *uint64         // the version that the job went back to
}

func (c *DeploymentVerdicts) apply(tx *state.Tx) (any, error) {
	out := &DeploymentsChanged{Changed: make([]DeploymentChanged, len(c.Verdicts))}
	for i := range c.Verdicts {
		v := &c.Verdicts[i]
		d, ok := tx.Deployment(v.ID)
		if ok && d.Active() && (v.Seen == 0 || v.Seen == d.ModifyIndex) {
			out.Changed[i] = v.apply(tx, d, c.Time)
		} else if len(c.Verdicts) == 1 && v.Seen == 0 {
			_, err := activeDeployment(tx, v.ID, "fail")
			return nil, err
		}
	}
	return out, nil
}

func (v *DeploymentVerdict) apply(tx *state.Tx, d *api.Deployment, now int64) DeploymentChanged {
	for _, id := range v.Reschedule {
		rescheduleFailed(tx, d, id, now)
	}
	if len(v.Promote) > 0 {
		promote(tx, d, v.Promote, now)
	}
	var reverted *uint64
	switch v.Status {
	case "":
	case api.DeploymentSuccessful:
		endDeployment(tx, v.ID, v.Status, v.Description, now)
		if j, ok := tx.JobVersion(d.Namespace, d.JobID, d.JobVersion); ok && j.CreateIndex == d.JobCreateIndex && !j.Stable {
			tx.SetJobStable(d.Namespace, d.JobID, d.JobVersion, true)
		}
	default:
		reverted = failDeployment(tx, d, v, now)
	}
	putDeploymentEval(tx, d, v.Eval)
	stored, _ := tx.Deployment(v.ID)
	return DeploymentChanged{stored, reverted}
}

// failDeployment ends a deployment otherwise than well.
func failDeployment(tx *state.Tx, d *api.Deployment, v *DeploymentVerdict, now int64) (reverted *uint64) {
	text := v.Description
	if v.Revert {
		text, reverted = revert(tx, d, text, now)
	}
	endDeployment(tx, v.ID, v.Status, text, now)
	return reverted
}

func endDeployment(tx *state.Tx, id, status, description string, now int64) {
	if old, ok := tx.Deployment(id); ok && old.Active() {
		d := *old
		d.Status, d.StatusDescription, d.ModifyTime = status, description, now
		tx.PutDeployment(&d)
	}
}

// revert makes the latest stable version of a deployment's job its newest
// version, and says so in the description.
func revert(tx *state.Tx, d *api.Deployment, text string, now int64) (string, *uint64) {
	current, ok := tx.Job(d.Namespace, d.JobID)
	if !ok || current.CreateIndex != d.JobCreateIndex || current.Version != d.JobVersion || current.Stop {
		return fmt.Sprintf(describeJobChanged, text), nil
	}
	versions := tx.JobVersions(d.Namespace, d.JobID) // newest first
	i := slices.IndexFunc(versions, func(j *api.Job) bool { return j.Stable })
	if i < 0 {
		return fmt.Sprintf(describeNoRollback, text), nil
	}
	version := versions[i].Version
	job := *versions[i]
	if _, ok := tx.NodePool(job.NodePool); !ok && job.NodePool != "" {
		return fmt.Sprintf(describePoolGone, text, version, job.NodePool), nil
	}
	job.Stop, job.SubmitTime = false, now
	var source *api.JobSubmission
	if s, ok := tx.JobSubmission(d.Namespace, d.JobID, version); ok {
		c := *s
		source = &c
	}
	if _, changed := tx.RegisterJob(&job, source); !changed {
		return fmt.Sprintf(describeSameRollback, text, version), nil
	}
	return fmt.Sprintf(describeRollback, text, version), &version
}

// putDeploymentEval writes the evaluation that follows from a change of a
// deployment, for the job as it is by then.
func putDeploymentEval(tx *state.Tx, d *api.Deployment, e *api.Evaluation) {
	if e == nil {
		return
	}
	if j, ok := tx.Job(d.Namespace, d.JobID); ok {
		e.JobModifyIndex, e.Type = j.JobModifyIndex, j.Type
	}
	tx.PutEvaluation(e)
}

// rescheduleFailed lets the scheduler replace a failed allocation of a
// deployment.
func rescheduleFailed(tx *state.Tx, d *api.Deployment, id string, now int64) {
	old, ok := tx.Allocation(id)
	if !ok || old.DeploymentID != d.ID || old.ClientStatus != api.AllocClientFailed || old.ServerTerminal() {
		return
	}
	a, yes := *old, true
	a.DesiredTransition.Reschedule, a.ModifyTime = &yes, now
	tx.PutAllocation(&a)
}

// DeploymentPromote lets the canaries of groups replace what was there before;
// no groups: all that have canaries. The result is a *DeploymentChanged.
type DeploymentPromote struct {
	ID     string
	Groups []string
	Time   int64 // Unix nanoseconds
	Eval   *api.Evaluation
}

func (c *DeploymentPromote) apply(tx *state.Tx) (any, error) {
	d, err := activeDeployment(tx, c.ID, "promote")
	if err != nil {
		return nil, err
	}
	groups := slices.Clone(c.Groups)
	if len(groups) == 0 {
		for name, s := range d.TaskGroups {
			if s.DesiredCanaries > 0 && !s.Promoted {
				groups = append(groups, name)
			}
		}
	}
	slices.Sort(groups)
	if err := promotable(tx, d, groups); err != nil {
		return nil, err
	}
	promote(tx, d, groups, c.Time)
	putDeploymentEval(tx, d, c.Eval)
	stored, _ := tx.Deployment(c.ID)
	return &DeploymentChanged{Deployment: stored}, nil
}

// promotable says which groups cannot be promoted, and why.
func promotable(tx *state.Tx, d *api.Deployment, groups []string) error {
	healthy := map[string]int{}
	for a := range tx.AllocationsByDeployment(d.ID) {
		if s := a.DeploymentStatus; s.IsHealthy() && s.Canary && !a.Terminal() {
			healthy[a.TaskGroup]++
		}
	}
	var problems []string
	for _, name := range groups {
		switch s := d.TaskGroups[name]; {
		case s == nil:
			problems = append(problems, fmt.Sprintf("there is no group %q in it", name))
		case s.DesiredCanaries == 0:
			problems = append(problems, fmt.Sprintf("group %q has no canaries to promote", name))
		case s.Promoted:
			problems = append(problems, fmt.Sprintf("group %q is promoted already", name))
		case healthy[name] < s.DesiredCanaries:
			problems = append(problems, fmt.Sprintf("group %q has %d/%d healthy allocations", name, healthy[name], s.DesiredCanaries))
		}
	}
	switch {
	case len(problems) > 0:
		return api.Errorf(api.ErrInvalid, "deployment %s cannot be promoted: %s", d.ID, strings.Join(problems, "; "))
	case len(groups) == 0:
		return api.Errorf(api.ErrInvalid, "deployment %s cannot be promoted: no canaries to promote", d.ID)
	}
	return nil
}

// promote makes canaries ordinary allocations and notes that their groups are
// promoted.
func promote(tx *state.Tx, d *api.Deployment, groups []string, now int64) {
	for _, old := range slices.Collect(tx.AllocationsByDeployment(d.ID)) {
		if s := old.DeploymentStatus; s != nil && s.Canary && slices.Contains(groups, old.TaskGroup) {
			a, status := *old, *s
			status.Canary, status.ModifyIndex = false, tx.Index()
			a.DeploymentStatus, a.ModifyTime = &status, now
			tx.PutAllocation(&a)
		}
	}
	changeStates(tx, d.ID, now, func(name string, s *api.DeploymentState) {
		if slices.Contains(groups, name) && s.DesiredCanaries > 0 {
			s.Promoted, s.ProgressFrom = true, time.Unix(0, now).UTC()
		}
	})
}

// changeStates writes a deployment with the intent for its groups changed.
func changeStates(tx *state.Tx, id string, now int64, change func(name string, s *api.DeploymentState)) {
	old, _ := tx.Deployment(id)
	d := *old
	d.ModifyTime = now
	d.TaskGroups = make(map[string]*api.DeploymentState, len(old.TaskGroups))
	for name, s := range old.TaskGroups {
		if s == nil {
			continue
		}
		c := *s
		change(name, &c)
		d.TaskGroups[name] = &c
	}
	tx.PutDeployment(&d)
}

// DeploymentPause stops a deployment for the time being, or lets it go on. The
// result is a *DeploymentChanged.
type DeploymentPause struct {
	ID    string
	Pause bool
	Time  int64           // Unix nanoseconds
	Eval  *api.Evaluation // of one that goes on
}

func (c *DeploymentPause) apply(tx *state.Tx) (any, error) {
	verb, status, text := "resume", api.DeploymentRunning, ""
	if c.Pause {
		verb, status, text = "pause", api.DeploymentPaused, api.DeploymentDescPaused
	}
	old, err := activeDeployment(tx, c.ID, verb)
	if err != nil {
		return nil, err
	}
	if old.Status != status {
		d := *old
		d.Status, d.StatusDescription, d.ModifyTime = status, text, c.Time
		tx.PutDeployment(&d)
		if !c.Pause {
			changeStates(tx, c.ID, c.Time, func(_ string, s *api.DeploymentState) { s.ProgressFrom = time.Unix(0, c.Time).UTC() })
		}
	}
	putDeploymentEval(tx, old, c.Eval)
	stored, _ := tx.Deployment(c.ID)
	return &DeploymentChanged{Deployment: stored}, nil
}

// DeploymentHealth says of allocations of a deployment that they are healthy or
// not. The deployment fails when one is not. The result is a *DeploymentChanged.
type DeploymentHealth struct {
	ID        string
	Healthy   []string
	Unhealthy []string
	Time      int64 // Unix nanoseconds
	Eval      *api.Evaluation
}

func (c *DeploymentHealth) apply(tx *state.Tx) (any, error) {
	d, err := activeDeployment(tx, c.ID, "set the health of allocations of")
	if err != nil {
		return nil, err
	}
	yes, no, back := true, false, false
	for _, id := range c.Healthy {
		if _, err := c.set(tx, id, &yes); err != nil {
			return nil, err
		}
	}
	for _, id := range c.Unhealthy {
		group, err := c.set(tx, id, &no)
		if err != nil {
			return nil, err
		}
		s := d.TaskGroups[group]
		back = back || s != nil && s.AutoRevert
	}
	var out DeploymentChanged
	if len(c.Unhealthy) > 0 {
		v := &DeploymentVerdict{ID: c.ID, Status: api.DeploymentFailed, Description: api.DeploymentDescUnhealthy, Revert: back}
		out.Reverted = failDeployment(tx, d, v, c.Time)
	}
	putDeploymentEval(tx, d, c.Eval)
	out.Deployment, _ = tx.Deployment(c.ID)
	return &out, nil
}

// set notes the health of an allocation, and gives its group.
func (c *DeploymentHealth) set(tx *state.Tx, id string, healthy *bool) (group string, err error) {
	old, ok := tx.Allocation(id)
	switch {
	case !ok:
		return "", api.Errorf(api.ErrNotFound, "allocation %s not found", id)
	case old.DeploymentID != c.ID:
		return "", api.Errorf(api.ErrInvalid, "allocation %s is not part of deployment %s", id, c.ID)
	}
	a := *old
	s := api.AllocDeploymentStatus{Healthy: healthy, Timestamp: time.Unix(0, c.Time).UTC(), ModifyIndex: tx.Index()}
	if old.DeploymentStatus != nil {
		s.Canary = old.DeploymentStatus.Canary
	}
	a.DeploymentStatus, a.ModifyTime = &s, c.Time
	tx.UpdateAllocation(&a)
	return a.TaskGroup, nil
}

// activeDeployment finds a deployment that somebody wants to act on.
func activeDeployment(tx *state.Tx, id, verb string) (*api.Deployment, error) {
	d, ok := tx.Deployment(id)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "deployment not found")
	}
	if !d.Active() {
		return nil, api.Errorf(api.ErrInvalid, "can't %s terminal deployment %s: it is %s", verb, id, d.Status)
	}
	return d, nil
}

// DeploymentUpsert writes deployments. No result.
type DeploymentUpsert struct {
	Deployments []*api.Deployment
	Evals       []*api.Evaluation
}

func (c *DeploymentUpsert) apply(tx *state.Tx) (any, error) {
	for _, d := range c.Deployments {
		if d == nil || d.ID == "" {
			return nil, api.Errorf(api.ErrInvalid, "deployment: no ID given")
		}
		tx.PutDeployment(d)
	}
	putEvals(tx, c.Evals)
	return nil, nil
}

// DeploymentDelete removes deployments. The result is how many there were, an int.
type DeploymentDelete struct {
	IDs []string
}

func (c *DeploymentDelete) apply(tx *state.Tx) (any, error) {
	n := 0
	for _, id := range c.IDs {
		if tx.DeleteDeployment(id) {
			n++
		}
	}
	return n, nil
}
