package endpoint

import (
	"strconv"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/api/diff"
)

func jobVersions(r *Read, req *api.JobVersionsRequest) (api.JobVersionsResponse, error) {
	var resp api.JobVersionsResponse
	resp.Versions = r.JobVersions(r.Namespace, req.ID)
	if len(resp.Versions) == 0 {
		return resp, api.Errorf(api.ErrNotFound, "job versions not found")
	}
	if !req.Diffs && req.DiffVersion == "" && req.DiffTag == "" {
		return resp, nil
	}
	fixed, err := diffBase(r, req)
	if err != nil {
		return resp, err
	}
	for i, v := range resp.Versions {
		base := fixed
		if base == nil {
			if i+1 == len(resp.Versions) {
				break // the oldest has nothing to be compared with
			}
			base = resp.Versions[i+1]
		} else if base.Version == v.Version {
			continue
		}
		d, err := diff.Jobs(base, v, true)
		if err != nil {
			return resp, err
		}
		resp.Diffs = append(resp.Diffs, d)
	}
	return resp, nil
}

// diffBase gives the version that all others are compared with; nil when each
// is compared with the one before it.
func diffBase(r *Read, req *api.JobVersionsRequest) (*api.Job, error) {
	switch {
	case req.DiffTag != "":
		if j, ok := r.JobVersionByTag(r.Namespace, req.ID, req.DiffTag); ok {
			return j, nil
		}
		return nil, api.Errorf(api.ErrNotFound, "job %q has no version with tag %q", req.ID, req.DiffTag)
	case req.DiffVersion != "":
		n, err := strconv.ParseUint(req.DiffVersion, 10, 64)
		if err != nil {
			return nil, api.Errorf(api.ErrInvalid, "diff_version %q is not a version number", req.DiffVersion)
		}
		if j, ok := r.JobVersion(r.Namespace, req.ID, n); ok {
			return j, nil
		}
		return nil, api.Errorf(api.ErrNotFound, "job %q has no version %d", req.ID, n)
	}
	return nil, nil
}
