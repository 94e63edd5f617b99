package fsm

import (
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// JobRegister stores a job as submitted, and the evaluation that makes it
// happen. Job and Eval come complete, except for what only the log can know:
// versions and indexes. The result is a *JobRegistered.
type JobRegister struct {
	Job        *api.Job
	Submission *api.JobSubmission // may be nil
	Eval       *api.Evaluation    // nil for jobs that only start others
	Scaling    *ScaleEvent        // when the register is a change of count

	// EnforceIndex refuses the command unless the stored job's JobModifyIndex
	// is JobModifyIndex; 0 then means that there must be no such job.
	EnforceIndex   bool
	JobModifyIndex uint64
}

// JobRegistered tells what became of a JobRegister.
type JobRegistered struct {
	Job     *api.Job        // as stored
	Changed bool            // false when the specification was the stored one already
	Eval    *api.Evaluation // as stored; nil when there was none
	Index   uint64
}

func (c *JobRegister) apply(tx *state.Tx) (any, error) {
	if c.Job == nil {
		return nil, api.Errorf(api.ErrInvalid, "register: no job given")
	}
	ns := c.Job.Namespace
	if _, ok := tx.Namespace(ns); !ok {
		return nil, api.Errorf(api.ErrInvalid, "job %q is in nonexistent namespace %q", c.Job.ID, ns)
	}
	if _, ok := tx.NodePool(c.Job.NodePool); !ok && c.Job.NodePool != "" {
		return nil, api.Errorf(api.ErrInvalid, "job %q is in nonexistent node pool %q", c.Job.ID, c.Job.NodePool)
	}
	if err := c.enforce(tx); err != nil {
		return nil, err
	}
	job, changed := tx.RegisterJob(c.Job, c.Submission)
	out := &JobRegistered{Job: job, Changed: changed, Index: tx.Index()}
	if c.Eval != nil {
		c.Eval.JobModifyIndex = job.JobModifyIndex
		tx.PutEvaluation(c.Eval)
		out.Eval = c.Eval
	}
	if c.Scaling != nil {
		if _, err := c.Scaling.apply(tx); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *JobRegister) enforce(tx *state.Tx) error {
	if !c.EnforceIndex {
		return nil
	}
	old, exists := tx.Job(c.Job.Namespace, c.Job.ID)
	switch {
	case c.JobModifyIndex == 0 && exists:
		return api.Errorf(api.ErrConflict, "Enforcing job modify index 0: job already exists")
	case c.JobModifyIndex != 0 && !exists:
		return api.Errorf(api.ErrConflict, "Enforcing job modify index %d: job does not exist", c.JobModifyIndex)
	case exists && old.JobModifyIndex != c.JobModifyIndex:
		return api.Errorf(api.ErrConflict, "Enforcing job modify index %d: job exists with conflicting job modify index: %d", c.JobModifyIndex, old.JobModifyIndex)
	}
	return nil
}

// JobDeregister stops a job; with Purge it also forgets it. The result is a
// *JobRegistered with the job as it was stored last.
type JobDeregister struct {
	Namespace string
	ID        string
	Purge     bool
	Time      int64 // Unix nanoseconds
	Eval      *api.Evaluation

	// NoShutdownDelay makes the tasks stop without their shutdown delay.
	NoShutdownDelay bool
}

func (c *JobDeregister) apply(tx *state.Tx) (any, error) {
	old, ok := tx.Job(c.Namespace, c.ID)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "job not found")
	}
	job := old
	if c.Purge {
		tx.CancelDeployments(c.Namespace, c.ID, api.DeploymentDescStopped, c.Time)
		tx.DeleteJob(c.Namespace, c.ID)
	} else {
		job, _ = tx.StopJob(c.Namespace, c.ID, c.Time)
		tx.DeletePeriodicLaunch(c.Namespace, c.ID)
	}
	if c.NoShutdownDelay {
		yes := true
		for _, a := range slices.Collect(tx.AllocationsByJob(c.Namespace, c.ID)) {
			if !a.Terminal() {
				changed := *a
				changed.DesiredTransition.NoShutdownDelay = &yes
				tx.PutAllocation(&changed)
			}
		}
	}
	out := &JobRegistered{Job: job, Changed: true, Index: tx.Index()}
	if c.Eval != nil {
		c.Eval.JobModifyIndex = tx.Index()
		tx.PutEvaluation(c.Eval)
		out.Eval = c.Eval
	}
	return out, nil
}

// JobStability marks a version of a job as stable, or not. No result.
type JobStability struct {
	Namespace string
	ID        string
	Version   uint64
	Stable    bool
}

func (c *JobStability) apply(tx *state.Tx) (any, error) {
	if !tx.SetJobStable(c.Namespace, c.ID, c.Version, c.Stable) {
		return nil, api.Errorf(api.ErrNotFound, "job %q at version %d not found", c.ID, c.Version)
	}
	return nil, nil
}

// JobVersionTag names a version of a job, or with Tag nil takes the name Name
// away from the version that has it. The result is the *api.Job.
type JobVersionTag struct {
	Namespace string
	ID        string
	Version   uint64
	Name      string
	Tag       *api.JobVersionTag
}

func (c *JobVersionTag) apply(tx *state.Tx) (any, error) {
	holder, held := tx.JobVersionByTag(c.Namespace, c.ID, c.Name)
	version := c.Version
	if c.Tag == nil {
		if !held {
			return nil, api.Errorf(api.ErrNotFound, "tag %q not found on job %q", c.Name, c.ID)
		}
		version = holder.Version
	} else if held && holder.Version != version {
		return nil, api.Errorf(api.ErrConflict, "tag %q already exists on a different version of job %q", c.Name, c.ID)
	}
	if !tx.TagJobVersion(c.Namespace, c.ID, version, c.Tag) {
		return nil, api.Errorf(api.ErrNotFound, "job %q version %d not found", c.ID, version)
	}
	job, _ := tx.JobVersion(c.Namespace, c.ID, version)
	return job, nil
}

// ScaleEvent records a change of a group's count, or an autoscaler's finding.
// No result.
type ScaleEvent struct {
	Namespace string
	JobID     string
	Group     string
	Event     *api.ScalingEvent
}

func (c *ScaleEvent) apply(tx *state.Tx) (any, error) {
	if c.Event == nil {
		return nil, api.Errorf(api.ErrInvalid, "scale event: no event given")
	}
	tx.AddScalingEvent(c.Namespace, c.JobID, c.Group, c.Event)
	return nil, nil
}

// PeriodicLaunch records when a periodic job last started a child. No result.
type PeriodicLaunch struct {
	Namespace string
	JobID     string
	Launch    int64 // Unix nanoseconds
}

func (c *PeriodicLaunch) apply(tx *state.Tx) (any, error) {
	tx.PutPeriodicLaunch(&state.PeriodicLaunch{Namespace: c.Namespace, JobID: c.JobID, Launch: c.Launch})
	return nil, nil
}
