package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// mounts sets what is mounted in the container: the allocation's directories, the volumes of the group, and what the config block asks for.
func (p *plan) mounts() error {
	d := p.task.TaskDir()
	p.spec.Mounts = []contain.Mount{
		{Host: d.Alloc, Task: "/alloc", Plain: true},
		{Host: d.Local, Task: "/local", Plain: true},
		{Host: d.Secrets, Task: "/secrets", Plain: true},
	}
	p.spec.Volumes = contain.TaskMounts(p.task.Mounts)
	if p.spec.Namespaces.HostIPC {
		p.spec.Mounts = append(p.spec.Mounts, contain.Mount{Host: "/dev/shm", Task: "/dev/shm", Plain: true})
	}
	for _, m := range p.opts.Mount {
		one, err := p.mount(m)
		if err != nil {
			return fmt.Errorf("mount at %q: %w", m.Target, err)
		}
		p.spec.Volumes = append(p.spec.Volumes, one)
	}
	for _, text := range p.opts.Volumes {
		one, err := p.volume(text)
		if err != nil {
			return fmt.Errorf("volumes: %q: %w", text, err)
		}
		p.spec.Volumes = append(p.spec.Volumes, one)
	}
	return nil
}

// mount reads a mount block.
func (p *plan) mount(m mount) (contain.Mount, error) {
	if !path.IsAbs(m.Target) {
		return contain.Mount{}, errors.New("target must be an absolute path in the container")
	}
	switch m.Type {
	case "", "bind":
		out, err := p.bind(m.Source, false)
		if err != nil {
			return out, err
		}
		out.Task, out.Readonly = m.Target, m.Readonly
		out.Propagation, err = p.propagation(m.BindOptions.Propagation)
		return out, err
	case "tmpfs":
		if m.TmpfsOptions.Size < 0 || m.TmpfsOptions.Mode < 0 || m.TmpfsOptions.Mode > 0o7777 {
			return contain.Mount{}, errors.New("tmpfs_options: size must not be negative, and mode is a number such as 511 (0777)")
		}
		return contain.Mount{Task: m.Target, Tmpfs: true, Readonly: m.Readonly, TmpfsBytes: m.TmpfsOptions.Size, TmpfsMode: uint32(m.TmpfsOptions.Mode)}, nil
	case "volume":
		return p.named(m)
	}
	return contain.Mount{}, fmt.Errorf("type is %q: it must be \"bind\", \"tmpfs\" or \"volume\"", m.Type)
}

// volume reads "source:target" with options: ro, rw, and a propagation.
func (p *plan) volume(text string) (contain.Mount, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || !path.IsAbs(parts[1]) {
		return contain.Mount{}, errors.New("write \"source:/target\" or \"source:/target:ro\"")
	}
	out, err := p.bind(parts[0], true)
	if err != nil {
		return out, err
	}
	out.Task = parts[1]
	if len(parts) == 2 {
		return out, nil
	}
	for _, option := range strings.Split(parts[2], ",") {
		switch option {
		case "ro":
			out.Readonly = true
		case "rw", "":
		default:
			if out.Propagation, err = p.propagation(option); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// propagation reads docker's words.
func (p *plan) propagation(word string) (string, error) {
	switch word {
	case "", "private", "rprivate":
		return "private", nil
	case "slave", "rslave":
		return "host-to-task", nil
	case "shared", "rshared":
		if !p.settings.AllowPrivileged {
			return "", refused("propagation \""+word+"\"", "allow_privileged")
		}
		return "bidirectional", nil
	}
	return "", fmt.Errorf("option %q is not supported by this driver: it knows ro, rw, rprivate, rslave and rshared", word)
}

// bind finds the source of a mount: an absolute path of the host where the operator allows that, else one of the task's own directories, in which
// it may be made.
func (p *plan) bind(source string, make bool) (contain.Mount, error) {
	if strings.ContainsRune(source, 0) || source == "" {
		return contain.Mount{}, errors.New("source names no path")
	}
	if filepath.IsAbs(source) {
		if !p.settings.Volumes.Enabled {
			return contain.Mount{}, refused("a path of the host", "volumes { enabled = true }")
		}
		return contain.Mount{Host: filepath.Clean(source)}, nil
	}
	inside, err := beneathTask(p.task, source)
	if err != nil {
		return contain.Mount{}, err
	}
	if make {
		if err := makeBeneath(p.task.AllocDir, inside); err != nil {
			return contain.Mount{}, err
		}
	}
	return contain.Mount{Host: "/" + inside, Beneath: p.task.AllocDir, Plain: true}, nil
}

// beneathTask turns a path relative to the task's directory into one relative to the allocation's. It must lie in a directory that is the task's to
// write.
func beneathTask(task *drivers.TaskConfig, source string) (string, error) {
	rel := path.Join(task.Name, source)
	first, rest, _ := strings.Cut(rel, "/")
	second, _, _ := strings.Cut(rest, "/")
	switch {
	case !filepath.IsLocal(rel):
	case first == "alloc":
		return rel, nil
	case first == task.Name && slices.Contains([]string{"local", "secrets", "tmp"}, second):
		return rel, nil
	}
	return "", errors.New("a relative source must lie in local, secrets, tmp or ../alloc of the task")
}

// makeBeneath makes a directory that is not there.
func makeBeneath(dir, inside string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(inside); err == nil {
		return nil
	}
	return root.MkdirAll(inside, 0o777)
}

// devices sets the devices: those that device plugins give, and those that the config block asks for and the operator allows.
func (p *plan) devices() error {
	p.spec.Devices = slices.Clone(p.task.Devices)
	for _, d := range p.opts.Devices {
		if !path.IsAbs(d.HostPath) || path.Clean(d.HostPath) != d.HostPath {
			return fmt.Errorf("devices: host_path %q must be an absolute path without dots", d.HostPath)
		}
		if !p.settings.deviceAllowed(d.HostPath) {
			return refused("device "+d.HostPath, "allow_devices")
		}
		if d.ContainerPath != "" && !path.IsAbs(d.ContainerPath) {
			return fmt.Errorf("devices: container_path %q must be an absolute path", d.ContainerPath)
		}
		if strings.Trim(d.Permissions, "rwm") != "" {
			return fmt.Errorf("devices: cgroup_permissions is %q: it must be made of r, w and m", d.Permissions)
		}
		p.spec.Devices = append(p.spec.Devices, drivers.Device{HostPath: d.HostPath, TaskPath: d.ContainerPath, Permissions: d.Permissions})
	}
	return nil
}
