package docker

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"github.com/seraihq/serai/drivers"
)

// Labels of a task's container. Those of serai are the driver's own; the others have the names that log shippers and monitors know.
const (
	labelTask  = "serai.task_id"
	labelInfra = "serai.network_of"
	labelOwner = "serai.driver"
	labelNode  = "serai.node_id"
	labelImage = "serai.image"
	labelDir   = "serai.alloc_dir"
	labelAlloc = "com.hashicorp.nomad.alloc_id"
	labelExtra = "com.hashicorp.nomad."
)

// defaultLogType is how the engine keeps output when nobody says, in files of bounded size: what it keeps is only there until it has been read. The
// engine's json-file needs three times the space for the same lines, and so loses what a flood writes before it can be read; but with a terminal the
// other loses ends of long lines.
const (
	defaultLogType  = "local"
	terminalLogType = "json-file"
)

var defaultLogOptions = map[string]map[string]string{
	defaultLogType:  {"max-size": "16m", "max-file": "4", "compress": "false"},
	terminalLogType: {"max-size": "16m", "max-file": "2"},
}

// sibling is a container whose namespace the task wants to share.
type sibling struct{ option, name string }

// plan is the container to be made for a task.
type plan struct {
	cfg      *drivers.TaskConfig
	task     taskConfig
	settings config
	// cpus is how many the engine has, version the API that it speaks.
	cpus    int
	version string

	name      string
	container *container.Config
	host      *container.HostConfig
	endpoints map[string]*network.EndpointSettings
	// siblings must be found to belong to the same allocation.
	siblings []sibling
	// staged are mounts whose sources must be put in a safe place first.
	staged []staged
	// joined: the container lives in the group's network.
	joined bool
}

// newPlan checks what the job asks for, so that nothing has to be undone when something is wrong.
func newPlan(cfg *drivers.TaskConfig, settings config, eng facts) (*plan, error) {
	p := &plan{cfg: cfg, settings: settings, cpus: eng.cpus, version: eng.apiVersion,
		host: &container.HostConfig{}, endpoints: map[string]*network.EndpointSettings{}}
	var err error
	if p.task, err = decodeTask(cfg.Config); err != nil {
		return nil, err
	}
	if err := checkUser(cfg.User); err != nil {
		return nil, err
	}
	p.name = cfg.Name + "-" + cfg.AllocID
	p.program()
	for _, step := range []func() error{p.limits, p.rights, p.logging, p.network, p.devices, p.files} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// program sets what runs.
func (p *plan) program() {
	t := &p.task
	c := &container.Config{
		Image: t.Image, User: p.cfg.User, WorkingDir: t.WorkDir, Entrypoint: t.Entrypoint, Labels: p.labels(),
		Tty: t.TTY, OpenStdin: t.Interactive, Env: environ(p.cfg.Environ()),
	}
	if t.Command != "" {
		c.Cmd = []string{t.Command}
	}
	c.Cmd = append(c.Cmd, t.Args...)
	if t.Healthchecks.Disable {
		c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	}
	p.container = c
	p.host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
}

// labels are the job's, under the driver's own, which a job cannot forge.
func (p *plan) labels() map[string]string {
	out := maps.Clone(map[string]string(p.task.Labels))
	if out == nil {
		out = map[string]string{}
	}
	for name, value := range extraLabels {
		for _, pattern := range p.settings.ExtraLabels {
			if ok, _ := path.Match(pattern, name); ok && value(p.cfg) != "" {
				out[labelExtra+name] = value(p.cfg)
			}
		}
	}
	delete(out, labelInfra)
	out[labelOwner], out[labelTask], out[labelAlloc] = Name, p.cfg.ID, p.cfg.AllocID
	out[labelNode], out[labelImage], out[labelDir] = p.cfg.NodeID, p.task.Image, p.cfg.AllocDir
	return out
}

// logging says what the engine does with the output.
func (p *plan) logging() error {
	l := container.LogConfig{Type: p.task.Logging.Type, Config: p.task.Logging.Config}
	if l.Type == "" {
		l.Type = p.settings.Logging.Type
		if l.Config == nil {
			l.Config = p.settings.Logging.Config
		}
	}
	if l.Type == "" {
		l.Type = defaultLogType
		if p.task.TTY {
			l.Type = terminalLogType
		}
	}
	if len(l.Config) == 0 {
		l.Config = defaultLogOptions[l.Type]
	}
	p.host.LogConfig = l
	return nil
}

func environ(env map[string]string) []string {
	out := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

// checkUser refuses numbers that engines have taken for another user's.
func checkUser(name string) error {
	for part := range strings.SplitSeq(name, ":") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			continue
		}
		if len(part) > 10 || len(part) == 10 && part > "2147483647" {
			return fmt.Errorf("user %q: a number must be from 0 to 2147483647", clip(name))
		}
	}
	if strings.ContainsAny(name, " \t\n\x00") || strings.HasPrefix(name, "-") {
		return fmt.Errorf("user %q is not a user's name or number", clip(name))
	}
	return nil
}
