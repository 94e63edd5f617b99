package container

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
	"github.com/seraihq/serai/drivers/internal/command"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// Keys of what the driver keeps with a task.
const (
	keepImage  = "image"
	keepDigest = "image_id"
	keepSignal = "stop_signal"
)

// plan is one task's container while it is being decided.
type plan struct {
	task     *drivers.TaskConfig
	opts     *options
	settings config
	img      *image.Image
	spec     *contain.Spec
	// volumes are those with names that the container has, by where it has them.
	volumes map[string]string
}

// specify decides what the task's container is. Only who runs in it is left to its Complete.
func specify(task *drivers.TaskConfig, opts *options, settings config) (*plan, error) {
	p := &plan{task: task, opts: opts, settings: settings, spec: &contain.Spec{
		Scratch:      filepath.Join(task.TaskDir().Private, "container-"+path.Base(task.ID)),
		ReadonlyRoot: opts.ReadonlyRootfs,
		NoPivotRoot:  settings.NoPivotRoot,
		Cgroup:       true,
		ShmBytes:     opts.ShmSize,
		OOMScoreAdj:  opts.OOMScoreAdj,
		Stdin:        opts.Interactive,
		Reaper:       opts.Init,
		Terminal:     opts.TTY,
		Labels:       opts.Labels,
	}}
	for _, decide := range []func() error{p.rights, p.namespaces, p.limits, p.mounts, p.devices, p.network} {
		if err := decide(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// use adds what the image says to what the job says.
func (p *plan) use(img *image.Image) error {
	p.img = img
	s := p.spec
	if s.Layers = img.Layers; len(s.Layers) == 0 {
		empty := filepath.Join(s.Scratch, "empty")
		if err := os.MkdirAll(empty, 0o755); err != nil {
			return fmt.Errorf("root of the container: %w", err)
		}
		s.Layers = []string{empty}
	}
	s.Keep = map[string]string{keepImage: img.Ref, keepDigest: img.ID, keepSignal: img.Config.StopSignal}
	if s.Args = arguments(p.opts, img.Config); len(s.Args) == 0 || s.Args[0] == "" {
		return fmt.Errorf("image %s names no program to run: set command or entrypoint", p.opts.Image)
	}
	var err error
	if s.Env, err = environment(p.task, img.Config); err != nil {
		return err
	}
	dir := p.opts.WorkDir
	if dir == "" {
		dir = img.Config.WorkingDir
	}
	if s.Dir, err = contain.WorkDir(dir); err != nil {
		return err
	}
	who := p.task.User
	if who == "" {
		who = img.Config.User
	}
	s.Complete = func(root *contain.Tree) error { return p.complete(root, who) }
	return nil
}

// complete finds the user in the image, and lets it read its secrets.
func (p *plan) complete(root *contain.Tree, who string) (err error) {
	s := p.spec
	if err := p.settle(root); err != nil {
		return err
	}
	if s.User, err = resolveUser(root, who, p.opts.GroupAdd); err != nil {
		if p.task.User == "" && who != "" {
			return fmt.Errorf("image %s wants to run as %q: %w: set the task's user", p.opts.Image, who, err)
		}
		return fmt.Errorf("image %s: %w", p.opts.Image, err)
	}
	if s.Namespaces.OwnUsers {
		for _, id := range append([]uint32{s.User.UID, s.User.GID}, s.User.Groups...) {
			if id >= contain.UserCount {
				return fmt.Errorf("user %q: ID %d does not exist in a user namespace of %d IDs: set userns_mode = \"host\"", who, id, contain.UserCount)
			}
		}
	}
	secrets, uid, gid := p.task.TaskDir().Secrets, int(s.User.UID), int(s.User.GID)
	if s.Namespaces.OwnUsers && !contain.Mappable(secrets) {
		uid, gid = s.OnHost(s.User.UID), s.OnHost(s.User.GID)
		for i := range s.Mounts {
			s.Mounts[i].Unmapped = s.Mounts[i].Host == secrets
		}
	}
	return giveSecrets(secrets, uid, gid)
}

// giveSecrets makes a task's user the owner of its secrets, which the agent has made as root's when it could not tell who that is.
func giveSecrets(dir string, uid, gid int) error {
	if uid == 0 {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("secrets of the task: %w", err)
	}
	defer root.Close()
	names := []string{"."}
	if d, err := root.Open("."); err == nil {
		entries, _ := d.ReadDir(maxSecrets) // more are the task's own from an earlier run
		_ = d.Close()
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	for _, name := range names {
		if err := root.Lchown(name, uid, gid); err != nil {
			return fmt.Errorf("secrets of the task: %w", err)
		}
	}
	return nil
}

// maxSecrets is how many files of the agent's may be among a task's secrets.
const maxSecrets = 256

// arguments are the entrypoint and the command of the job, else those of the image. An entrypoint of the job's own makes the image's command void.
func arguments(o *options, img image.Config) []string {
	entrypoint, cmd := img.Entrypoint, img.Cmd
	if len(o.Entrypoint) > 0 {
		entrypoint, cmd = o.Entrypoint, nil
	}
	switch {
	case o.Command != "":
		cmd = append([]string{o.Command}, o.Args...)
	case len(o.Args) > 0:
		cmd = o.Args
	}
	return append(append([]string(nil), entrypoint...), cmd...)
}

// environment is that of the image with the task's on top.
func environment(task *drivers.TaskConfig, img image.Config) ([]string, error) {
	env := map[string]string{"PATH": contain.DefaultPath}
	for _, line := range img.Env {
		name, value, ok := strings.Cut(line, "=")
		if ok && name != "" && !strings.ContainsRune(line, 0) {
			env[name] = value
		}
	}
	maps.Copy(env, task.Environ())
	return command.List(env)
}
