package steps

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/taskenv"
	"github.com/seraihq/serai/drivers"
)

// Volumes looks whether the volumes that a task mounts can be: the driver
// mounts them itself, from what TaskConfig tells it.
type Volumes struct{}

// Name implements Step.
func (Volumes) Name() string { return "volumes" }

// Up implements Step.
func (Volumes) Up(_ context.Context, in *In) (Result, error) {
	if in.Restored {
		return nil, nil // the task has them
	}
	list, err := mounts(in)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if err := CheckVolume(m.HostPath); err != nil {
			return nil, api.Errorf(api.ErrInvalid, "mount at %s: %v", m.TaskPath, err)
		}
	}
	return nil, nil
}

// Down implements Step.
func (Volumes) Down(context.Context, *In, Result) error { return nil }

// CheckVolume says what is wrong with the directory of a host volume.
func CheckVolume(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		return fmt.Errorf("%s does not exist: make that directory, or remove the host_volume from the agent's configuration", dir)
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	return nil
}

// mounts gives what a task's volume_mount blocks ask for.
func mounts(in *In) ([]drivers.Mount, error) {
	if len(in.Task.VolumeMounts) == 0 {
		return nil, nil
	}
	if !in.Driver.Abilities.Mounts {
		return nil, api.Errorf(api.ErrInvalid, "driver %q cannot mount volumes, for its tasks see the host's own files: use exec, or remove the volume_mount", in.Task.Driver)
	}
	group := in.Alloc.Job.LookupTaskGroup(in.Alloc.TaskGroup)
	var out []drivers.Mount
	for _, vm := range in.Task.VolumeMounts {
		req := group.Volumes[vm.Volume]
		if req == nil {
			return nil, api.Errorf(api.ErrInvalid, "volume_mount: %q is not a volume of the group", vm.Volume)
		}
		source := VolumeSource(req, in.Alloc.Name)
		vol := in.Node.HostVolumes[source]
		if req.Type != "host" || vol == nil {
			return nil, api.Errorf(api.ErrInvalid, "volume %q: this node has no host volume %q", vm.Volume, source)
		}
		inside, err := insidePath(vm.Destination)
		if err != nil {
			return nil, err
		}
		out = append(out, drivers.Mount{
			TaskPath: inside, HostPath: vol.Path, Readonly: vm.ReadOnly || req.ReadOnly || vol.ReadOnly,
			Propagation: vm.PropagationMode, SELinux: vm.SELinuxLabel,
		})
	}
	return out, nil
}

// VolumeSource gives the name of the host volume that a group's volume stands
// for: with per_alloc each allocation has one of its own.
func VolumeSource(req *api.VolumeRequest, allocName string) string {
	if i := taskenv.Index(allocName); req.PerAlloc && i >= 0 {
		return fmt.Sprintf("%s[%d]", req.Source, i)
	}
	return req.Source
}

// insidePath gives the place of a mount in the task's file system.
func insidePath(destination string) (string, error) {
	inside := path.Clean("/" + destination)
	if inside == "/" || destination == "" || strings.Contains("/"+destination+"/", "/../") {
		return "", api.Errorf(api.ErrInvalid, "volume_mount: destination %q must be a path beneath the task's root, without \"..\"", destination)
	}
	for _, taken := range []string{"/proc", "/sys", "/dev", insideAlloc, insideSecrets} {
		if inside == taken || strings.HasPrefix(inside, taken+"/") && taken != insideAlloc {
			return "", api.Errorf(api.ErrInvalid, "volume_mount: destination %q would hide what the task has in %s: choose another place", destination, taken)
		}
	}
	return inside, nil
}
