package api

import (
	"path"
	"strings"
)

// otherGetters are ways to fetch an artifact that are not built, each with what
// serves instead.
var otherGetters = map[string]string{
	"hg":  "use git, or an archive over https",
	"gcs": "use the https address of the object",
	"smb": "use https",
}

// artifact says what is wrong with an artifact, as far as it can be told before
// the references in it are put in.
func (v *validator) artifact(at spot, t *Task, a *TaskArtifact) {
	if getter, _, forced := strings.Cut(a.GetterSource, "::"); forced && otherGetters[getter] != "" {
		v.addf(at.field("GetterSource", "source"), "%q is not supported: %s", getter, otherGetters[getter])
	}
	if strings.Contains(a.RelativeDest, "${") {
		return
	}
	to := path.Join(t.Name, a.RelativeDest)
	if to != t.Name && !strings.HasPrefix(to, t.Name+"/") && !strings.HasPrefix(to, "alloc/") {
		v.addf(at.field("RelativeDest", "destination"), "must lie in the task's directory, as \"local/data\" does, not %q", clip(a.RelativeDest))
	}
}
