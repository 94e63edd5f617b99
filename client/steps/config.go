package steps

import (
	"maps"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/logs"
	"github.com/seraihq/serai/client/taskenv"
	"github.com/seraihq/serai/client/users"
	"github.com/seraihq/serai/drivers"
)

// Isolating drivers show a task its directories at these places.
const (
	insideAlloc   = "/alloc"
	insideLocal   = "/local"
	insideSecrets = "/secrets"
)

// ConfigInput is what a driver's view of a task is made from.
type ConfigInput struct {
	In
	ID     string // of this start
	Region string
	// Extra are variables that steps have added to the environment.
	Extra map[string]string
}

// TaskConfig makes what the driver is told about one start of a task: its
// environment, its configuration with all references resolved, its limits.
//
// What cannot be given was refused by the steps before; it is left out here.
func TaskConfig(in ConfigInput) *drivers.TaskConfig {
	_, devices, _ := in.Devices.Grant(granted(in.Alloc, in.Task))
	env := environment(in)
	cfg := &drivers.TaskConfig{
		ID:      in.ID,
		JobName: in.Alloc.Job.Name, JobID: in.Alloc.JobID, ParentJob: in.Alloc.Job.ParentID,
		Group: in.Alloc.TaskGroup, Name: in.Task.Name, AllocID: in.Alloc.ID, Namespace: in.Alloc.Namespace,
		NodeID: in.Node.ID, NodeName: in.Node.Name,
		Env: env.Map(), User: env.Replace(in.Task.User),
		AllocDir: in.Dir,

		Resources: resources(in),
		Config:    env.ReplaceTree(in.Task.Config),
		Devices:   devices,
		DNS:       dns(in.Alloc),
	}
	if pod := in.pod(); pod != nil {
		cfg.Network, cfg.DNS = pod.Isolation, pod.DNS
	}
	cfg.Mounts, _ = mounts(&in.In)
	if uid, ok := dynamicUser(&in.In); ok {
		cfg.User = users.Name(uid)
	}
	if in.Task.LogConfig == nil || !in.Task.LogConfig.Disabled {
		cfg.StdoutPath = in.Dir + "/" + logs.FIFOName(in.Task.Name, Stdout)
		cfg.StderrPath = in.Dir + "/" + logs.FIFOName(in.Task.Name, Stderr)
	}
	return cfg
}

// environment makes the task's environment.
func environment(in ConfigInput) *taskenv.Env {
	deviceEnv, _, _ := in.Devices.Grant(granted(in.Alloc, in.Task))
	extra := maps.Clone(in.Extra)
	if extra == nil {
		extra = map[string]string{}
	}
	maps.Copy(extra, deviceEnv)
	return taskenv.New(taskenv.Input{
		Region: in.Region, Node: in.Node, Alloc: in.Alloc, Task: in.Task, Dirs: dirs(in), Network: status(in), Extra: extra,
	})
}

// status gives the address of the allocation's own network.
func status(in ConfigInput) *api.AllocNetworkStatus {
	if pod := in.pod(); pod != nil {
		return pod.Status
	}
	return nil
}

// dirs gives the directories as the task will see them.
func dirs(in ConfigInput) taskenv.Dirs {
	switch in.Driver.Abilities.FS {
	case drivers.FSChroot, drivers.FSImage:
		return taskenv.Dirs{Alloc: insideAlloc, Local: insideLocal, Secrets: insideSecrets}
	}
	task := in.Dir + "/" + in.Task.Name
	return taskenv.Dirs{Alloc: in.Dir + "/alloc", Local: task + "/local", Secrets: task + "/secrets"}
}

func resources(in ConfigInput) drivers.Resources {
	var r drivers.Resources
	if in.Alloc.AllocatedResources == nil {
		return r
	}
	if t := in.Alloc.AllocatedResources.Tasks[in.Task.Name]; t != nil {
		r.CPUShares = t.Cpu.CpuShares
		r.MemoryMB, r.MemoryMaxMB = t.Memory.MemoryMB, t.Memory.MemoryMaxMB
		r.Cpuset = taskenv.Cores(t.Cpu.ReservedCores)
		if r.Cpuset == "" && in.SharedCores != nil {
			r.Cpuset = in.SharedCores()
		}
		if n := in.Node.NodeResources; n != nil && n.Cpu.CpuShares > 0 {
			r.CPUPercent = float64(r.CPUShares) / float64(n.Cpu.CpuShares)
		}
		for _, n := range t.Networks {
			for _, p := range append(append([]api.Port(nil), n.ReservedPorts...), n.DynamicPorts...) {
				r.Ports = append(r.Ports, drivers.Port{Label: p.Label, Value: p.Value, To: p.To, HostIP: n.IP})
			}
		}
	}
	for _, p := range in.Alloc.AllocatedResources.Shared.Ports {
		r.Ports = append(r.Ports, drivers.Port{Label: p.Label, Value: p.Value, To: p.To, HostIP: p.HostIP})
	}
	return r
}

func dns(a *api.Allocation) *drivers.DNS {
	if a.AllocatedResources == nil {
		return nil
	}
	for _, n := range a.AllocatedResources.Shared.Networks {
		if n.DNS != nil {
			return &drivers.DNS{Servers: n.DNS.Servers, Searches: n.DNS.Searches, Options: n.DNS.Options}
		}
	}
	return nil
}

// AllocOfTaskID gives the allocation that a task's ID, made by TaskID, names.
func AllocOfTaskID(id string) string {
	alloc, _, _ := strings.Cut(id, "/")
	return alloc
}

// TaskID names one start of a task.
func TaskID(allocID, task, random string) string { return allocID + "/" + task + "/" + random }

// Command gives the words of a command that runs in a task, with all references
// resolved.
func Command(in ConfigInput, command string, args []string) []string {
	env := environment(in)
	words := []string{env.Replace(command)}
	for _, arg := range args {
		words = append(words, env.Replace(arg))
	}
	return words
}
