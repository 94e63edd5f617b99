package contain

import (
	"errors"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/configs"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/command"
	"github.com/seraihq/serai/drivers/internal/contain/seccomp"
)

// plan is a Spec that has been checked, in libcontainer's words.
type plan struct {
	spec   *Spec
	config *configs.Config
	argv   []string
	filter seccomp.Program
}

// plan checks what is asked for and finds the program, so that nothing has to be undone when something is wrong.
func (c *Containers) plan(task *drivers.TaskConfig, spec *Spec) (*plan, error) {
	if len(spec.Args) == 0 || spec.Args[0] == "" {
		return nil, errors.New("no program: name the command to run")
	}
	p := &plan{spec: spec}
	var err error
	if p.filter, err = spec.filter(); err != nil {
		return nil, err
	}
	mounts := slices.Concat(spec.Mounts, c.fileMounts(task.ID, spec.Files), spec.Volumes)
	if spec.From != "" {
		resolve(mounts)
	}
	if spec.Reaper || spec.Terminal {
		m, err := spec.reaperMount()
		if err != nil {
			return nil, err
		}
		mounts, p.argv = append(mounts, m), []string{reaperPath}
		if spec.Terminal {
			p.argv = append(p.argv, "-t")
		}
	}
	if p.config, err = c.config(task, spec, slices.Concat(mounts, spec.outputMounts(task))); err != nil {
		return nil, err
	}
	file, err := newView(spec.Root, mounts).find(spec.Args[0], command.Value(spec.Env, "PATH"), spec.Local)
	if err != nil {
		return nil, err
	}
	p.argv = slices.Concat(p.argv, []string{file}, spec.Args[1:])
	return p, nil
}

// config describes the container to libcontainer.
func (c *Containers) config(task *drivers.TaskConfig, spec *Spec, mounts []Mount) (*configs.Config, error) {
	all, propagation := spec.kernelMounts(), rootPropagation(mounts)
	for _, m := range mounts {
		one, err := m.configure(spec.Namespaces.users)
		if err != nil {
			return nil, err
		}
		if propagation&unix.MS_PRIVATE != 0 {
			one.PropagationFlags = nil // all mounts are private: none need be made so
		}
		all = append(all, one)
	}
	nodes, rules, err := spec.deviceNodes()
	if err != nil {
		return nil, err
	}
	group, err := c.group(task.ID, spec.Limits, rules)
	if err != nil {
		return nil, err
	}
	limits, err := spec.rlimits()
	if err != nil {
		return nil, err
	}
	caps := spec.Capabilities
	cfg := &configs.Config{
		Rootfs:          spec.Root,
		Readonlyfs:      spec.ReadonlyRoot,
		NoPivotRoot:     spec.NoPivotRoot,
		RootPropagation: propagation,
		Hostname:        spec.Hostname,
		Mounts:          all,
		Devices:         nodes,
		Namespaces:      spec.namespaces(),
		Capabilities:    &configs.Capabilities{Bounding: caps, Effective: caps, Permitted: caps},
		Cgroups:         group,
		Rlimits:         limits,
		Sysctl:          spec.Sysctls,
		NoNewPrivileges: !spec.Unfiltered && !spec.Privileged,
		NoNewKeyring:    true, // Init makes one; joining it later is what the filter refuses
		Labels:          []string{"serai.task=" + task.ID},
	}
	spec.guard(cfg)
	for _, name := range slices.Sorted(maps.Keys(spec.Labels)) {
		cfg.Labels = append(cfg.Labels, "label."+name+"="+spec.Labels[name])
	}
	if spec.OOMScoreAdj != 0 {
		cfg.OomScoreAdj = &spec.OOMScoreAdj
	}
	if u := spec.Namespaces.users; u != nil {
		cfg.UIDMappings, cfg.GIDMappings = []configs.IDMap{u.mapping()}, []configs.IDMap{u.mapping()}
	}
	return cfg, nil
}

// namespaces are those of the container in libcontainer's words.
func (s *Spec) namespaces() configs.Namespaces {
	n := s.Namespaces
	out := configs.Namespaces{{Type: configs.NEWNS}}
	for kind, wanted := range map[configs.NamespaceType]bool{configs.NEWUTS: !n.HostUTS, configs.NEWPID: !n.HostPID, configs.NEWIPC: !n.HostIPC,
		configs.NEWCGROUP: s.Cgroup, configs.NEWUSER: n.OwnUsers} {
		if wanted {
			out = append(out, configs.Namespace{Type: kind})
		}
	}
	if n.Network != "" || n.NoNetwork {
		out = append(out, configs.Namespace{Type: configs.NEWNET, Path: n.Network})
	}
	return out
}

// filter is the program's system call filter; an empty one lets all through.
func (p Process) filter() (seccomp.Program, error) {
	if p.Unfiltered || p.Privileged {
		return nil, nil
	}
	return seccomp.Build(p.Capabilities)
}

// process describes a process of the container to libcontainer.
func (p Process) process(argv []string, ctl *control) *libcontainer.Process {
	return &libcontainer.Process{Args: argv, Env: p.Env, Cwd: p.Dir, UID: int(p.User.UID), GID: int(p.User.GID),
		AdditionalGroups: ids(p.User.Groups), ExtraFiles: ctl.files()}
}

// ids are the numbers as libcontainer wants them.
func ids(list []uint32) []int {
	out := make([]int, len(list))
	for i, n := range list {
		out[i] = int(n)
	}
	return out
}
