package endpoint

import (
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// jobRevert makes an old version of a job the newest, as if it were submitted
// anew.
func (e *Endpoints) jobRevert(w *Write, req *api.JobRevertRequest) (api.JobRegisterResponse, error) {
	var resp api.JobRegisterResponse
	now, err := getJob(w.View, w.Namespace, req.ID)
	if err != nil {
		return resp, err
	}
	if now.Version == req.JobVersion && !now.Stop {
		return resp, api.Errorf(api.ErrInvalid, "can't revert to current version")
	}
	if want := req.EnforcePriorVersion; want != nil && *want != now.Version {
		return resp, api.Errorf(api.ErrConflict, "Current job has version %d; enforcing version %d", now.Version, *want)
	}
	old, ok := w.JobVersion(w.Namespace, req.ID, req.JobVersion)
	if !ok {
		return resp, api.Errorf(api.ErrNotFound, "job %q in namespace %q at version %d not found", req.ID, w.Namespace, req.JobVersion)
	}
	job := *old
	job.Stop, job.Stable, job.VersionTag = false, false, nil
	if err := w.mayUse(&job, false); err != nil {
		return resp, err
	}
	if err := e.allowed(w.View, &job).Err(); err != nil {
		return resp, err
	}
	source, _ := w.JobSubmission(w.Namespace, req.ID, req.JobVersion)
	c := &fsm.JobRegister{Job: &job, Submission: source, EnforceIndex: true, JobModifyIndex: now.JobModifyIndex}
	return e.register(w, c, api.TriggerJobRegister, 0, nil)
}

func jobStable(w *Write, req *api.JobStableRequest) (api.JobStableResponse, error) {
	if _, err := getJob(w.View, w.Namespace, req.ID); err != nil {
		return api.JobStableResponse{}, err
	}
	_, err := w.apply(&fsm.JobStability{Namespace: w.Namespace, ID: req.ID, Version: req.JobVersion, Stable: req.Stable})
	return api.JobStableResponse{JobModifyIndex: w.Index}, err
}

func jobTag(w *Write, req *api.JobTagRequest) (api.JobTagResponse, error) {
	job, err := getJob(w.View, w.Namespace, req.ID)
	if err != nil {
		return api.JobTagResponse{}, err
	}
	if strings.TrimSpace(req.Tag) == "" || len(req.Tag) > 128 {
		return api.JobTagResponse{}, api.Errorf(api.ErrInvalid, "a tag has 1 to 128 characters")
	}
	if len(req.Description) > 1000 {
		return api.JobTagResponse{}, api.Errorf(api.ErrInvalid, "the description of a tag has at most 1000 characters")
	}
	version := req.Version
	if req.Latest {
		version = job.Version
	}
	tag := &api.JobVersionTag{Name: req.Tag, Description: req.Description, TaggedTime: w.Now.UnixNano()}
	_, err = w.apply(&fsm.JobVersionTag{Namespace: w.Namespace, ID: req.ID, Version: version, Name: req.Tag, Tag: tag})
	return api.JobTagResponse{Name: tag.Name, Description: tag.Description, TaggedTime: tag.TaggedTime}, err
}

func jobUntag(w *Write, req *api.JobUntagRequest) (api.JobTagResponse, error) {
	_, err := w.apply(&fsm.JobVersionTag{Namespace: w.Namespace, ID: req.ID, Name: req.Tag})
	return api.JobTagResponse{Name: req.Tag}, err
}
