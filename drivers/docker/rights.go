package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"

	"github.com/seraihq/serai/internal/cgroup"
)

// maxProfile bounds the size of a seccomp profile.
const maxProfile = 1 << 20

// capability normalises the name of a capability: "CAP_NET_RAW" is "net_raw".
func capability(name string) (string, error) {
	norm := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "cap_")
	if norm == "" || strings.Trim(norm, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "", fmt.Errorf("capability %q is not a name such as \"net_bind_service\"", name)
	}
	return norm, nil
}

// capabilities returns what a task's container has: what the engine gives by itself as far as it is allowed, and what the job adds and drops.
func (c *config) capabilities(add, drop []string) ([]string, error) {
	everything := slices.Contains(c.AllowCaps, "all")
	var have []string
	for _, name := range defaultCaps {
		if everything || slices.Contains(c.AllowCaps, name) {
			have = append(have, name)
		}
	}
	var dropped []string
	for _, raw := range drop {
		name, err := capability(raw)
		if err != nil {
			return nil, fmt.Errorf("cap_drop: %w", err)
		}
		dropped = append(dropped, name)
	}
	if slices.Contains(dropped, "all") {
		have = nil
	}
	have = slices.DeleteFunc(have, func(name string) bool { return slices.Contains(dropped, name) })
	for _, raw := range add {
		name, err := capability(raw)
		if err != nil {
			return nil, fmt.Errorf("cap_add: %w", err)
		}
		if !everything && !slices.Contains(c.AllowCaps, name) {
			return nil, fmt.Errorf("cap_add: %q is not in the driver's allow_caps on this node (%s)", name, strings.Join(c.AllowCaps, ", "))
		}
		if !slices.Contains(have, name) {
			have = append(have, name)
		}
	}
	return have, nil
}

// rights sets what the container's processes may do.
func (p *plan) rights() error {
	t, host := &p.task, p.host
	if t.Privileged && !p.settings.AllowPrivileged {
		return errors.New("privileged is not allowed on this node: the operator can set allow_privileged in the docker plugin's config")
	}
	host.Privileged = t.Privileged
	caps, err := p.settings.capabilities(t.CapAdd, t.CapDrop)
	if err != nil {
		return err
	}
	if !t.Privileged {
		host.CapDrop, host.CapAdd = []string{"ALL"}, caps
	}
	if err := p.modes(); err != nil {
		return err
	}
	if t.Runtime != "" && !slices.Contains(p.settings.AllowRuntimes, t.Runtime) {
		return fmt.Errorf("runtime %q is not in the driver's allow_runtimes on this node (%s)", t.Runtime, strings.Join(p.settings.AllowRuntimes, ", "))
	}
	host.Runtime = t.Runtime
	if p.cfg.DeviceEnv["NVIDIA_VISIBLE_DEVICES"] != "" && t.Runtime == "" {
		host.Runtime = p.settings.NvidiaRuntime
	}
	host.Sysctls, host.GroupAdd, host.StorageOpt = t.Sysctl, t.GroupAdd, t.StorageOpt
	host.ReadonlyRootfs, host.ShmSize = t.ReadonlyRootfs, t.ShmSize
	host.OomScoreAdj = max(t.OOMScoreAdj, p.settings.OOMScoreAdj)
	if t.Init {
		host.Init = &t.Init
	}
	if err := p.ulimits(); err != nil {
		return err
	}
	return p.securityOptions()
}

// modes sets the namespaces that the job does not want of its own.
func (p *plan) modes() error {
	t, host := &p.task, p.host
	for _, m := range []struct{ name, value, allow string }{
		{"pid_mode", t.PidMode, "pid"}, {"ipc_mode", t.IpcMode, "ipc"}, {"uts_mode", t.UTSMode, "uts"},
		{"userns_mode", t.UsernsMode, "userns"}, {"cgroupns", t.Cgroupns, "cgroupns"},
	} {
		if m.value == "" || m.value == "private" || m.value == "none" || m.value == "shareable" || p.settings.AllowPrivileged ||
			slices.Contains(p.settings.AllowedModes[m.allow], m.value) {
			continue
		}
		if name, ok := strings.CutPrefix(m.value, "container:"); ok {
			p.siblings = append(p.siblings, sibling{m.name, name})
			continue
		}
		return fmt.Errorf("%s = %q is not allowed on this node: the operator can name it in allowed_modes, or set allow_privileged, in the docker plugin's config",
			m.name, m.value)
	}
	private := func(v string) string {
		if v == "private" {
			return ""
		}
		return v
	}
	host.PidMode, host.UTSMode = container.PidMode(private(t.PidMode)), container.UTSMode(private(t.UTSMode))
	host.UsernsMode, host.IpcMode = container.UsernsMode(private(t.UsernsMode)), container.IpcMode(t.IpcMode)
	host.CgroupnsMode = container.CgroupnsMode(t.Cgroupns)
	return nil
}

func (p *plan) ulimits() error {
	for name, text := range p.task.Ulimit {
		soft, hard, _ := strings.Cut(text, ":")
		if hard == "" {
			hard = soft
		}
		s, err := number("ulimit "+name, soft)
		if err != nil {
			return err
		}
		h, err := number("ulimit "+name, hard)
		if err != nil {
			return err
		}
		p.host.Ulimits = append(p.host.Ulimits, &units.Ulimit{Name: name, Soft: s, Hard: h})
	}
	slices.SortFunc(p.host.Ulimits, func(a, b *units.Ulimit) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// securityOptions passes on what takes rights away; what gives some needs the operator's consent.
func (p *plan) securityOptions() error {
	for _, opt := range p.task.SecurityOpt {
		name, value, _ := strings.Cut(opt, "=")
		if !strings.Contains(opt, "=") {
			name, value, _ = strings.Cut(opt, ":")
		}
		harmless := name == "no-new-privileges" && (value == "" || value == "true") ||
			name == "label" && strings.HasPrefix(value, "type:") || name == "apparmor" && value != "unconfined"
		if !harmless && !p.settings.AllowPrivileged {
			return fmt.Errorf("security_opt %q is not allowed on this node: it may give the task more rights than others have; the operator can set allow_privileged in the docker plugin's config", clip(opt))
		}
		if name == "seccomp" && value != "unconfined" && !strings.HasPrefix(value, "{") {
			profile, err := p.readProfile(value)
			if err != nil {
				return fmt.Errorf("security_opt seccomp: %w", err)
			}
			opt = "seccomp=" + profile
		}
		p.host.SecurityOpt = append(p.host.SecurityOpt, opt)
	}
	return nil
}

// readProfile reads a seccomp profile out of the task's own directory.
func (p *plan) readProfile(name string) (string, error) {
	root, err := os.OpenRoot(p.cfg.TaskDir().Root)
	if err != nil {
		return "", err
	}
	defer root.Close()
	f, err := openFile(root, filepath.Clean(name))
	if err != nil {
		return "", fmt.Errorf("profile %q, which must be in the task's directory: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProfile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxProfile || !json.Valid(text) {
		return "", fmt.Errorf("profile %q is not JSON of at most %d bytes", name, maxProfile)
	}
	return string(text), nil
}

// devices gives the job's devices, as far as the operator allows, and those that the agent has granted.
func (p *plan) devices() error {
	for _, d := range p.task.Devices {
		if !p.settings.deviceAllowed(d.HostPath) {
			return fmt.Errorf("devices: %q is not allowed on this node: the operator can name it in allow_devices, or set allow_privileged, in the docker plugin's config", d.HostPath)
		}
		if err := p.device(d.HostPath, d.ContainerPath, d.Permissions); err != nil {
			return err
		}
	}
	for _, d := range p.cfg.Devices {
		if err := p.device(d.HostPath, d.TaskPath, d.Permissions); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) device(host, inside, permissions string) error {
	if inside == "" {
		inside = host
	}
	if permissions == "" {
		permissions = "rwm"
	}
	if !path.IsAbs(host) || !path.IsAbs(inside) || strings.Trim(permissions, "rwm") != "" {
		return fmt.Errorf("device %q at %q with %q: both paths must be absolute and the permissions any of r, w and m", host, inside, permissions)
	}
	p.host.Devices = append(p.host.Devices, container.DeviceMapping{PathOnHost: host, PathInContainer: inside, CgroupPermissions: permissions})
	return nil
}

// deviceAllowed is whether a job may name this device: by a pattern of the operator's for its clean path.
func (c *config) deviceAllowed(device string) bool {
	if c.AllowPrivileged {
		return true
	}
	return path.Clean(device) == device && slices.ContainsFunc(c.AllowDevices, func(pattern string) bool {
		ok, _ := path.Match(pattern, device)
		return ok
	})
}

// limits sets what the container may use.
func (p *plan) limits() error {
	t, r, host := &p.task, p.cfg.Resources, p.host
	host.CPUShares = r.CPUShares
	if host.CPUShares > 0 {
		host.CPUShares = max(2, min(host.CPUShares, 262144))
	}
	limit := r.MemoryLimitMB() << 20
	if t.MemoryHardLimit > 0 {
		if t.MemoryHardLimit < r.MemoryMB {
			return fmt.Errorf("memory_hard_limit is %d MB: it must not be less than the task's memory, %d MB", t.MemoryHardLimit, r.MemoryMB)
		}
		limit = t.MemoryHardLimit << 20
	}
	if reserved := r.MemoryMB << 20; reserved > 0 && (limit == 0 || reserved < limit) {
		host.MemoryReservation = reserved
	}
	if limit > 0 {
		host.Memory, host.MemorySwap = limit, limit // together: no swap beyond it
	}
	host.CpusetCpus = r.Cpuset
	if t.CpusetCPUs != "" {
		if r.Cpuset != "" && !cgroup.CoresWithin(t.CpusetCPUs, r.Cpuset) {
			return fmt.Errorf("cpuset_cpus is %q: the cores that the task may use on this node are %s", clip(t.CpusetCPUs), r.Cpuset)
		}
		host.CpusetCpus = t.CpusetCPUs
	}
	if t.CPUHardLimit {
		host.CPUPeriod = 100000
		if t.CPUPeriod > 0 {
			host.CPUPeriod = t.CPUPeriod
		}
		host.CPUQuota = max(1000, int64(r.CPUPercent*float64(host.CPUPeriod)*float64(p.cpus)))
	}
	if pids := p.settings.pids(t.PidsLimit); pids > 0 {
		host.PidsLimit = &pids
	}
	return nil
}

// pids is the limit on processes: the job may ask for less than the operator's, not for more.
func (c *config) pids(asked int64) int64 {
	if c.PidsLimit > 0 && (asked <= 0 || asked > c.PidsLimit) {
		return c.PidsLimit
	}
	return asked
}

// clip keeps a value of the job's short in a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
