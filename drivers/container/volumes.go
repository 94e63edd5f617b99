package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers/internal/contain"
)

// volumesDir is the directory of volumes with names when the plugin's configuration does not say: DIR/NAMESPACE/NAME. They stay until the operator
// removes them.
const volumesDir = "container-volumes"

// volumeName is what a Docker Engine takes as well.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

// named finds a volume of the node by its name, for jobs of the task's namespace, and makes it when it is not there.
func (p *plan) named(m mount) (contain.Mount, error) {
	o := m.VolumeOptions
	switch {
	case !p.settings.Volumes.Enabled:
		return contain.Mount{}, refused("a volume of the node", "volumes { enabled = true }")
	case !volumeName.MatchString(m.Source):
		return contain.Mount{}, fmt.Errorf("source is %.80q: the name of a volume is made of letters, digits, dots, dashes and underscores, and begins with a letter or digit", m.Source)
	case o.DriverConfig.Name != "" && o.DriverConfig.Name != "local" || len(o.DriverConfig.Options) > 0:
		return contain.Mount{}, errors.New("volume_options: drivers of volumes and their options are a Docker Engine's: leave driver_config out")
	case len(o.Labels) > 0:
		return contain.Mount{}, errors.New("volume_options: volumes have labels with a Docker Engine only: leave them out")
	}
	namespace := p.task.Namespace
	if namespace == "" {
		namespace = "default"
	}
	if !volumeName.MatchString(namespace) {
		return contain.Mount{}, fmt.Errorf("the namespace %.80q cannot have volumes: its name is no name of a directory", namespace)
	}
	dir := filepath.Join(p.settings.Volumes.Dir, namespace, m.Source)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return contain.Mount{}, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return contain.Mount{}, err
	}
	if st, err := os.Lstat(dir); err != nil || !st.IsDir() {
		return contain.Mount{}, fmt.Errorf("%s is not a directory: remove it", dir)
	}
	if p.volumes == nil {
		p.volumes = map[string]string{}
	}
	p.volumes[m.Target] = dir
	return contain.Mount{Host: dir, Task: m.Target, Readonly: m.Readonly, Plain: true}, nil
}

// settle gives volumes that have nothing in them yet the owner and the mode of the directory of the image in whose place they are, so that the image's
// user can write there.
func (p *plan) settle(root *contain.Tree) error {
	for target, dir := range p.volumes {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		err = settleOne(root, target, d)
		if err = errors.Join(err, d.Close()); err != nil {
			return fmt.Errorf("volume %s: %w", filepath.Base(dir), err)
		}
	}
	return nil
}

func settleOne(root *contain.Tree, target string, d *os.File) error {
	if names, err := d.Readdirnames(1); len(names) > 0 {
		return err
	}
	st, err := root.Stat(target)
	if errors.Is(err, os.ErrNotExist) || err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.Chown(int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return unix.Fchmod(int(d.Fd()), st.Mode&0o1777)
}
