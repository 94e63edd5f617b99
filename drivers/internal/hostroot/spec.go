package hostroot

import (
	"io"
	"os"
	"runtime"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/command"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/internal/user"
)

// defaultUser is who a task runs as when neither the job nor the agent says.
const defaultUser = "nobody"

// Specify describes the container of a task that runs args.
func Specify(task *drivers.TaskConfig, c Config, t Task, args []string) (*contain.Spec, error) {
	if err := t.complete(c); err != nil {
		return nil, err
	}
	s := &contain.Spec{
		Process:     contain.Process{Args: args, Dir: t.WorkDir, Local: true},
		Root:        task.TaskDir().Root,
		NoPivotRoot: c.NoPivotRoot,
		Mounts:      contain.Chroot(task, c.ChrootEnv),
		Volumes:     contain.TaskMounts(task.Mounts),
		Files:       contain.Files(task),
		Devices:     task.Devices,
		Hostname:    contain.Hostname(task),
		Namespaces:  contain.Namespaces{HostPID: t.PIDMode == "host", HostIPC: t.IPCMode == "host"},
		Limits:      limits(task.Resources, t),
		OOMScoreAdj: t.OOMScoreAdj,
	}
	if task.Network != nil {
		s.Namespaces.Network = task.Network.Path
	}
	var err error
	if s.User, err = credentials(task.User, c); err != nil {
		return nil, err
	}
	nameUser(s, c)
	if s.Capabilities, err = contain.Capabilities(c.allowed, t.CapAdd, t.CapDrop); err != nil {
		return nil, err
	}
	env := task.Environ()
	if env["PATH"] == "" {
		env["PATH"] = contain.DefaultPath
	}
	s.Env, err = command.List(env)
	return s, err
}

func limits(r drivers.Resources, t Task) contain.Limits {
	out := contain.ResourceLimits(r)
	out.PIDs = t.PIDsLimit
	if !t.CPUHardLimit || r.CPUPercent <= 0 {
		return out
	}
	out.CPUPeriod = time.Duration(t.CPUPeriod) * time.Microsecond
	if out.CPUPeriod == 0 {
		out.CPUPeriod = defaultPeriod
	}
	// The kernel takes no quota below a millisecond.
	out.CPUQuota = max(minPeriod, time.Duration(r.CPUPercent*float64(runtime.NumCPU())*float64(out.CPUPeriod)))
	return out
}

func credentials(name string, c Config) (user.Credentials, error) {
	if name == "" {
		name = defaultUser
	}
	creds, err := user.Lookup(name)
	if err != nil {
		return creds, err
	}
	return creds, creds.Allowed(c.uids, c.gids)
}

// maxAccounts is how long the host's password file may be to be shown with a line more.
const maxAccounts = 1 << 20

// nameUser gives a dynamic user a name inside: many programs do not start for a user without one.
func nameUser(s *contain.Spec, c Config) {
	passwd, group := s.User.Entries()
	if passwd == "" || len(c.ChrootEnv) > 0 { // the operator has said what is there
		return
	}
	for file, line := range map[string]string{"passwd": passwd, "group": group} {
		f, err := os.Open("/etc/" + file)
		if err != nil {
			continue // the host has none, so a task would see none
		}
		text, err := io.ReadAll(io.LimitReader(f, maxAccounts))
		_ = f.Close()
		if err != nil || len(text) == maxAccounts {
			continue
		}
		if n := len(text); n > 0 && text[n-1] != '\n' {
			text = append(text, '\n')
		}
		s.Files[file] = string(text) + line
	}
}
