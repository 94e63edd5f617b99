package docker

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/mount"
)

// Where a task finds its directories.
const (
	insideAlloc   = "/alloc"
	insideLocal   = "/local"
	insideSecrets = "/secrets"
)

// bind is a host path to be seen in the container.
type bind struct {
	source, target string
	readonly       bool
	// propagation is as the engine writes it; empty is "rprivate".
	propagation mount.Propagation
	// label is "z" or "Z" where SELinux is to be told.
	label string
}

// files sets what the container sees of the host.
func (p *plan) files() error {
	dir := p.cfg.TaskDir()
	for _, b := range []bind{{source: dir.Alloc, target: insideAlloc}, {source: dir.Local, target: insideLocal}, {source: dir.Secrets, target: insideSecrets}} {
		b.label = p.settings.Volumes.SELinuxLabel
		p.bind(b)
	}
	for _, v := range p.task.Volumes {
		if err := p.volume(v); err != nil {
			return fmt.Errorf("volumes: %q: %w", clip(v), err)
		}
	}
	for i, m := range p.task.Mount {
		if err := p.mount(m); err != nil {
			return fmt.Errorf("mount[%d] at %q: %w", i, clip(m.Target), err)
		}
	}
	return p.volumeMounts()
}

// bind gives the engine a host path whose name nobody but the operator can make mean something else.
func (p *plan) bind(b bind) {
	if b.label == "" {
		m := mount.Mount{Type: mount.TypeBind, Source: b.source, Target: b.target, ReadOnly: b.readonly}
		if b.propagation != "" {
			m.BindOptions = &mount.BindOptions{Propagation: b.propagation}
		}
		p.host.Mounts = append(p.host.Mounts, m)
		return
	}
	// Labels exist only in the engine's older way of writing mounts.
	options := []string{b.label}
	if b.readonly {
		options = append(options, "ro")
	}
	if b.propagation != "" {
		options = append(options, string(b.propagation))
	}
	p.host.Binds = append(p.host.Binds, b.source+":"+b.target+":"+strings.Join(options, ","))
}

// volumeMounts are the group's volumes, which the agent has granted.
func (p *plan) volumeMounts() error {
	propagations := map[string]mount.Propagation{"": "", "private": "", "host-to-task": mount.PropagationRSlave, "bidirectional": mount.PropagationRShared}
	for _, m := range p.cfg.Mounts {
		propagation, ok := propagations[m.Propagation]
		if !ok {
			return fmt.Errorf("volume at %q: propagation %q is not known: use private, host-to-task or bidirectional", m.TaskPath, m.Propagation)
		}
		if err := checkTarget(m.TaskPath); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
		b := bind{source: m.HostPath, target: m.TaskPath, readonly: m.Readonly, propagation: propagation, label: m.SELinux}
		if m.Readonly {
			p.staged = append(p.staged, staged{bind: b})
			continue
		}
		p.bind(b)
	}
	return nil
}

// volume is one of volumes: "source:target[:options]".
func (p *plan) volume(text string) error {
	source, rest, ok := strings.Cut(text, ":")
	target, options, _ := strings.Cut(rest, ":")
	if !ok || source == "" {
		return errors.New("write \"source:target\" or \"source:target:ro\"")
	}
	if err := checkTarget(target); err != nil {
		return err
	}
	b := bind{source: source, target: target, label: p.settings.Volumes.SELinuxLabel}
	for opt := range strings.SplitSeq(options, ",") {
		switch {
		case opt == "" || opt == "rw":
		case opt == "ro":
			b.readonly = true
		case opt == "z" || opt == "Z":
			b.label = opt
		case slices.Contains(mount.Propagations, mount.Propagation(opt)):
			b.propagation = mount.Propagation(opt)
		default:
			return fmt.Errorf("option %q is not known: use ro, rw, z, Z or a propagation such as rslave", clip(opt))
		}
	}
	if p.task.VolumeDriver != "" {
		if err := p.volumesEnabled(); err != nil {
			return err
		}
		p.host.Mounts = append(p.host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: source, Target: target, ReadOnly: b.readonly,
			VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: p.task.VolumeDriver}}})
		return nil
	}
	return p.hostPath(b, true)
}

// hostPath mounts a path of the job's: one in the task's or the allocation's directory always, another when the operator allows.
func (p *plan) hostPath(b bind, create bool) error {
	root, rel, inside := p.inAlloc(b.source)
	switch {
	case inside && rel == "":
		return errors.New("name a path beneath the task's directory, such as \"local/data\", or beneath \"../alloc\"")
	case inside:
		p.staged = append(p.staged, staged{bind: b, root: root, rel: rel, create: create})
		return nil
	}
	if !filepath.IsAbs(b.source) {
		return errors.New("the path leads out of the allocation's directory: write host paths from the root (/…)")
	}
	if err := p.volumesEnabled(); err != nil {
		return err
	}
	b.source = filepath.Clean(b.source)
	if b.readonly || strings.Contains(b.source, ":") {
		p.staged = append(p.staged, staged{bind: b})
		return nil
	}
	p.bind(b)
	return nil
}

// inAlloc finds a path in the allocation's directory: the directory from which it is opened, which no task can replace, and the rest of it. The rest is
// empty for what tasks must not mount: the directory itself, what belongs to other tasks, what is the driver's own.
func (p *plan) inAlloc(source string) (root, rel string, inside bool) {
	dir := p.cfg.TaskDir()
	full := filepath.Clean(source)
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir.Root, full)
	}
	fromAlloc, err := filepath.Rel(p.cfg.AllocDir, full)
	if err != nil || !filepath.IsLocal(fromAlloc) {
		return "", "", false
	}
	for _, root := range []string{dir.Alloc, dir.Local, dir.Secrets, dir.Tmp} {
		if rel, err := filepath.Rel(root, full); err == nil && filepath.IsLocal(rel) {
			return root, rel, true
		}
	}
	rel, err = filepath.Rel(dir.Root, full)
	if err != nil || !filepath.IsLocal(rel) || rel == "." || rel == "private" || strings.HasPrefix(rel, "private/") {
		return "", "", true
	}
	return dir.Root, rel, true
}

func (p *plan) volumesEnabled() error {
	if p.settings.Volumes.Enabled {
		return nil
	}
	return errors.New("not allowed on this node: only paths in the allocation's directory are, until the operator sets volumes { enabled = true } in the docker plugin's config")
}

// mount is one mount block.
func (p *plan) mount(m mountConfig) error {
	if err := checkTarget(m.Target); err != nil {
		return err
	}
	switch m.Type {
	case "bind", "":
		if m.Source == "" {
			return errors.New("source is missing: name the path to mount")
		}
		propagation := mount.Propagation(m.BindOptions.Propagation)
		if propagation != "" && !slices.Contains(mount.Propagations, propagation) {
			return fmt.Errorf("propagation %q is not known: use one such as rprivate or rslave", clip(m.BindOptions.Propagation))
		}
		return p.hostPath(bind{source: m.Source, target: m.Target, readonly: m.Readonly, propagation: propagation, label: p.settings.Volumes.SELinuxLabel}, false)
	case "tmpfs":
		if m.Source != "" {
			return errors.New("a tmpfs has no source")
		}
		p.host.Mounts = append(p.host.Mounts, mount.Mount{Type: mount.TypeTmpfs, Target: m.Target, ReadOnly: m.Readonly,
			TmpfsOptions: &mount.TmpfsOptions{SizeBytes: m.TmpfsOptions.Size, Mode: os.FileMode(m.TmpfsOptions.Mode)}})
		return nil
	case "volume":
		if err := p.volumesEnabled(); err != nil {
			return err
		}
		v := &mount.VolumeOptions{NoCopy: m.VolumeOptions.NoCopy, Labels: m.VolumeOptions.Labels}
		if d := m.VolumeOptions.DriverConfig; d.Name != "" || len(d.Options) > 0 {
			v.DriverConfig = &mount.Driver{Name: d.Name, Options: d.Options}
		}
		p.host.Mounts = append(p.host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: m.Source, Target: m.Target, ReadOnly: m.Readonly, VolumeOptions: v})
		return nil
	}
	return fmt.Errorf("type %q is not known: use bind, volume or tmpfs", clip(m.Type))
}

func checkTarget(target string) error {
	if !path.IsAbs(target) || path.Clean(target) == "/" || strings.ContainsAny(target, ":\x00") {
		return fmt.Errorf("target %q: it must be an absolute path other than /", clip(target))
	}
	return nil
}
