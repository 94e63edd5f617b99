package endpoint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// mayUse says whether a token may run what is in a job: the table has said that
// it may run jobs in the namespace.
func mayUse(token *auth.Identity, job *api.Job, override bool) error {
	if override && !token.ACL.Namespace(job.Namespace, "sentinel-override") {
		return auth.Denied("`sentinel-override` in namespace `" + job.Namespace + "` for PolicyOverride")
	}
	for _, g := range job.TaskGroups {
		for _, v := range g.Volumes {
			if v == nil || v.Type != "host" || token.ACL.HostVolume(v.Source, v.ReadOnly) {
				continue
			}
			want := "mount-readwrite"
			if v.ReadOnly {
				want = "mount-readonly"
			}
			return auth.Denied("`" + want + "` on host volume `" + v.Source + "`, which group `" + g.Name + "` mounts")
		}
	}
	return nil
}

func (w *Write) mayUse(job *api.Job, override bool) error { return mayUse(w.token, job, override) }

// mayStop tells apart the capabilities of which the table asks for any: stopping
// a job and forgetting it.
func (w *Write) mayStop(purge bool) error {
	want := "deregister-job"
	if purge {
		want = "purge-job"
	}
	if w.token.ACL.Namespace(w.Namespace, "submit-job") || w.token.ACL.Namespace(w.Namespace, want) {
		return nil
	}
	return auth.Denied("`submit-job` or `" + want + "` in namespace `" + w.Namespace + "`")
}
