package api

import (
	"path"
	"slices"
	"strings"
)

// metaKeys checks a list of keys of meta.
func (v *validator) metaKeys(at spot, keys []string) {
	for i, k := range keys {
		if k == "" || strings.ContainsRune(k, 0) {
			v.addf(at.index(i), "must not hold a key that is empty or holds NUL")
		}
		if slices.Contains(keys[:i], k) {
			v.addf(at.index(i), "names %q twice", clip(k))
		}
	}
}

// payloadFiles checks where tasks want the payload of a dispatch: beneath their
// local directory.
func (v *validator) payloadFiles(at spot) {
	for i, g := range v.job.TaskGroups {
		p := at.field("TaskGroups", "").index(i).in("group", g.Name)
		for k, t := range g.Tasks {
			d := t.DispatchPayload
			if d == nil || d.File == "" {
				continue
			}
			q := p.field("Tasks", "").index(k).in("task", t.Name).field("DispatchPayload", "dispatch_payload").field("File", "file")
			clean := path.Clean("/" + d.File)
			if strings.ContainsRune(d.File, 0) || clean == "/" || strings.HasSuffix(d.File, "/") || slices.Contains(strings.Split(d.File, "/"), "..") {
				v.addf(q, "%q must name a file beneath the task's local directory", clip(d.File))
			}
		}
	}
}
