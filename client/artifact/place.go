package artifact

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact/fetch"
	"github.com/seraihq/serai/client/files"
)

// Shared is how a destination in the directory that a group's tasks share
// begins; it is what NOMAD_ALLOC_DIR stands for in destinations.
const Shared = "../alloc"

const maxDestination = 4096

// Destination gives the place of an artifact in the allocation's directory: in
// that of its task, or in the shared one.
func Destination(task, destination string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", api.Errorf(api.ErrDenied, "destination %.200q %s: it must lie in the task's directory, as \"local/data\" does, or in ${NOMAD_ALLOC_DIR}", destination, why)
	}
	switch {
	case destination == "":
		return refuse("is empty")
	case len(destination) > maxDestination || strings.ContainsAny(destination, "\x00\\"):
		return refuse("is no path")
	case strings.Contains(destination, "${"):
		return refuse("refers to what is not known")
	}
	parts := strings.Split(path.Join(task, destination), "/")
	switch {
	case parts[0] != task && parts[0] != "alloc":
		return refuse("leads out of it")
	case parts[0] == "alloc" && (len(parts) == 1 || parts[1] == "logs"):
		return refuse("is kept for the logs of tasks")
	case parts[0] == task && len(parts) > 1 && parts[1] == "private":
		return refuse("is kept for the agent")
	}
	return path.Join(parts...), nil
}

// Place moves what was fetched to its destination, as Destination gives it; uid
// and gid are its new owner, -1 the agent's own.
func (f *Fetched) Place(destination, mode string, uid, gid int) error {
	result := filepath.Join(f.stage, "work", fetch.ResultDir)
	target := destination
	if f.file != "" {
		result += "/" + f.file
		if mode != fetch.ModeFile {
			target = path.Join(destination, f.file)
		}
	}
	if !strings.Contains(destination, "/") {
		// The task's own directory: what the agent keeps there stays its own.
		if _, err := f.root.Stat(result + "/private"); err == nil {
			return api.Errorf(api.ErrDenied, "it has a file \"private\", which is kept for the agent: choose another destination")
		}
	}
	err := f.root.Adopt(result, files.Adoption{UID: uid, GID: gid, OutsideLinks: f.cfg.NoInspection, Stays: fetch.Stays})
	if err != nil {
		return err
	}
	return fullDisk(files.Merge(f.root, result, f.root, target, uid, gid))
}
