package container

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/internal/cgroup"
)

// refused is the answer to what an operator has to allow.
func refused(what, how string) error {
	return fmt.Errorf("%s is not allowed on this node: the operator can set %s in the container plugin's config", what, how)
}

// rights sets what the processes may do.
func (p *plan) rights() error {
	o, s := p.opts, p.spec
	if o.Privileged && !p.settings.AllowPrivileged {
		return refused("privileged", "allow_privileged")
	}
	s.Privileged = o.Privileged
	allowed := p.settings.allowed
	var err error
	if s.Privileged {
		allowed, _ = contain.CapabilityNames([]string{"all"})
		s.Capabilities, err = contain.Capabilities(allowed, []string{"all"}, nil)
	} else {
		s.Capabilities, err = contain.Capabilities(allowed, o.CapAdd, o.CapDrop)
	}
	if err != nil {
		return err
	}
	for _, opt := range o.SecurityOpt {
		switch strings.Replace(opt, ":", "=", 1) {
		case "no-new-privileges", "no-new-privileges=true", "apparmor=unconfined", "label=disable":
			// That is how it is.
		case "seccomp=unconfined":
			if !p.settings.AllowPrivileged {
				return refused("security_opt \""+opt+"\"", "allow_privileged")
			}
			s.Unfiltered = true
		default:
			return fmt.Errorf("security_opt %q is not supported by this driver", opt)
		}
	}
	return nil
}

// namespaces sets which namespaces are the container's own.
func (p *plan) namespaces() error {
	o, n := p.opts, &p.spec.Namespaces
	for _, m := range []struct {
		name, kind, value string
		host              *bool
	}{{"pid_mode", "pid", o.PIDMode, &n.HostPID}, {"ipc_mode", "ipc", o.IPCMode, &n.HostIPC}, {"uts_mode", "uts", o.UTSMode, &n.HostUTS}} {
		switch {
		case m.value == "" || m.value == "private" || (m.kind == "ipc" && (m.value == "none" || m.value == "shareable")):
		case m.value != "host":
			return fmt.Errorf("%s is %q: this driver knows \"private\" and \"host\"", m.name, m.value)
		case !p.settings.modeAllowed(m.kind, "host"):
			return refused(m.name+" = \"host\"", "allowed_modes { "+m.kind+" = [\"host\"] }")
		default:
			*m.host = true
		}
	}
	if o.Cgroupns != "" && o.Cgroupns != "private" {
		return fmt.Errorf("cgroupns is %q: this driver knows only \"private\"", o.Cgroupns)
	}
	return p.users()
}

// users gives the container users of its own where that is asked for.
func (p *plan) users() error {
	mode := p.opts.UsernsMode
	switch {
	case mode == "":
		mode = p.settings.UsernsMode
	case mode != "host" && mode != "private":
		return fmt.Errorf("userns_mode is %q: it must be \"host\" or \"private\"", mode)
	case mode == "host" && p.settings.UsernsMode == "private" && !p.settings.modeAllowed("userns", "host"):
		return refused("userns_mode = \"host\"", "allowed_modes { userns = [\"host\"] }")
	}
	if mode != "private" {
		return nil
	}
	if n := p.spec.Namespaces; p.opts.Privileged || n.HostPID || n.HostIPC || n.HostUTS {
		return errors.New("userns_mode = \"private\" does not go with privileged, or with host mode of pid, ipc or uts: set userns_mode = \"host\"")
	}
	p.spec.Namespaces.OwnUsers = true
	return nil
}

// defaultPeriod is the period of cpu_hard_limit.
const defaultPeriod = 100 * time.Millisecond

// limits sets what the task may use.
func (p *plan) limits() error {
	o, r := p.opts, p.task.Resources
	lim := contain.ResourceLimits(r)
	lim.PIDs = p.settings.PIDsLimit
	if o.PIDsLimit > lim.PIDs {
		return fmt.Errorf("pids_limit is %d: this node's plugin option pids_limit allows %d", o.PIDsLimit, lim.PIDs)
	}
	if o.PIDsLimit > 0 {
		lim.PIDs = o.PIDsLimit
	}
	if o.MemoryHardLimit > 0 && r.MemoryMaxMB == 0 {
		if o.MemoryHardLimit < r.MemoryMB {
			return fmt.Errorf("memory_hard_limit is %d MB: it must not be below the task's memory of %d MB", o.MemoryHardLimit, r.MemoryMB)
		}
		lim.MemoryBytes, lim.MemoryLowBytes = o.MemoryHardLimit<<20, r.MemoryMB<<20
	}
	if o.CpusetCPUs != "" {
		usable := r.Cpuset
		if usable == "" {
			usable = onlineCores()
		}
		if !cgroup.CoresWithin(o.CpusetCPUs, usable) {
			return fmt.Errorf("cpuset_cpus is %.80q: the cores that the task may use on this node are %s", o.CpusetCPUs, usable)
		}
		lim.Cpuset = o.CpusetCPUs
	}
	if o.CPUHardLimit {
		if r.CPUPercent <= 0 {
			return errors.New("cpu_hard_limit: this node's speed is not known, so no share of it can be told")
		}
		lim.CPUPeriod = time.Duration(o.CPUPeriod) * time.Microsecond
		if lim.CPUPeriod == 0 {
			lim.CPUPeriod = defaultPeriod
		}
		lim.CPUQuota = max(time.Duration(r.CPUPercent*float64(runtime.NumCPU())*float64(lim.CPUPeriod)), time.Millisecond)
	}
	for _, l := range o.IOLimit {
		if l.ReadBytes|l.WriteBytes|l.ReadOps|l.WriteOps == 0 {
			return fmt.Errorf("io_limit of %s limits nothing: set read_bytes, write_bytes, read_ops or write_ops", l.Device)
		}
		lim.IO = append(lim.IO, contain.IOLimit(l))
	}
	p.spec.Limits = lim
	if err := p.ulimits(); err != nil {
		return err
	}
	p.spec.Sysctls = o.Sysctl
	return nil
}

// onlineCores are all that the machine has, as a list of ranges.
func onlineCores() string {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return fmt.Sprintf("0-%d", runtime.NumCPU()-1)
	}
	return strings.TrimSpace(string(text))
}

// ulimits reads name = "soft:hard", name = "both" and "unlimited".
func (p *plan) ulimits() error {
	for name, text := range p.opts.Ulimit {
		soft, hard, both := strings.Cut(text, ":")
		if !both {
			hard = soft
		}
		var out contain.Rlimit
		var err error
		if out.Soft, err = rlimit(name, soft); err != nil {
			return err
		}
		if out.Hard, err = rlimit(name, hard); err != nil {
			return err
		}
		if out.Soft > out.Hard {
			return fmt.Errorf("ulimit %s is %q: the soft limit is above the hard one", name, text)
		}
		if p.spec.Rlimits == nil {
			p.spec.Rlimits = map[string]contain.Rlimit{}
		}
		p.spec.Rlimits[name] = out
	}
	return nil
}

func rlimit(name, text string) (uint64, error) {
	if text == "unlimited" || text == "-1" {
		return contain.Unlimited, nil
	}
	return number("ulimit "+name, text)
}
