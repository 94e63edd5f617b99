package drivers

import (
	"path/filepath"
	"time"
)

// TaskConfig is all that a driver learns about one task. It is complete and must not be changed by the driver.
type TaskConfig struct {
	// ID names this start of the task. It is unique on the node: allocation, task and a random part.
	ID        string
	JobName   string
	JobID     string
	ParentJob string
	Group     string
	Name      string
	AllocID   string
	Namespace string
	NodeID    string
	NodeName  string

	// Env is the task's whole environment; DeviceEnv is added by device plugins and wins over it.
	Env       map[string]string
	DeviceEnv map[string]string
	// User is the user that the job asks for; empty means the driver's default.
	User string

	// AllocDir is the allocation's directory on the host. TaskDir tells what lies beneath it.
	AllocDir string
	// StdoutPath and StderrPath are named pipes that exist before Start, with the agent at the other end.
	StdoutPath string
	StderrPath string

	Resources Resources
	Mounts    []Mount
	Devices   []Device
	DNS       *DNS
	// Network is the namespace that the task joins; nil means the host's.
	Network *NetworkIsolation

	// Config is the task's config block with all references resolved, raw: the driver decodes it with its TaskSchema.
	Config map[string]any
}

// TaskDir is where a task's files lie on the host.
type TaskDir struct {
	// Root is the task's directory; Local, Secrets, Private and Tmp are in it. A chroot driver makes it the task's root.
	Root, Local, Secrets, Private, Tmp string
	// Alloc is the directory shared by the tasks of an allocation; Logs is in it.
	Alloc, Logs string
}

// TaskDir returns where the task's files lie: <AllocDir>/<task> and <AllocDir>/alloc.
func (t *TaskConfig) TaskDir() TaskDir {
	root, alloc := filepath.Join(t.AllocDir, t.Name), filepath.Join(t.AllocDir, "alloc")
	return TaskDir{
		Root: root, Local: filepath.Join(root, "local"), Secrets: filepath.Join(root, "secrets"),
		Private: filepath.Join(root, "private"), Tmp: filepath.Join(root, "tmp"),
		Alloc: alloc, Logs: filepath.Join(alloc, "logs"),
	}
}

// Environ is Env with DeviceEnv on top.
func (t *TaskConfig) Environ() map[string]string {
	out := make(map[string]string, len(t.Env)+len(t.DeviceEnv))
	for k, v := range t.Env {
		out[k] = v
	}
	for k, v := range t.DeviceEnv {
		out[k] = v
	}
	return out
}

// Resources is what the task may use.
type Resources struct {
	// CPUShares is the share of CPU in MHz, used as relative weight.
	CPUShares int64
	// CPUPercent is CPUShares as a fraction (0–1) of all the node's MHz; 0 when not known.
	CPUPercent float64
	// MemoryMB is what the scheduler reserved. MemoryMaxMB, when not 0, is the limit instead; -1 means no limit.
	MemoryMB    int64
	MemoryMaxMB int64
	// Cpuset are the cores reserved for the task alone, as in "0-3,7"; empty means the shared ones.
	Cpuset string
	// CpusetCgroup is the cgroup (path below the controller's root) in which a driver may put the task; empty when it chooses itself.
	CpusetCgroup string
	Ports        []Port
}

// MemoryLimitMB is the hard limit in MB; 0 means none.
func (r Resources) MemoryLimitMB() int64 {
	switch {
	case r.MemoryMaxMB < 0:
		return 0
	case r.MemoryMaxMB > 0:
		return r.MemoryMaxMB
	}
	return r.MemoryMB
}

// Port is one port of the task or its group.
type Port struct {
	Label string
	// Value is the port on the host, To the one inside the task's network (0: the same).
	Value, To int
	HostIP    string
}

// Mount puts a host path into the task.
type Mount struct {
	TaskPath string
	HostPath string
	Readonly bool
	// Propagation is "private" (the default), "host-to-task" or "bidirectional".
	Propagation string
	SELinux     string
}

// Device gives a host device to the task.
type Device struct {
	TaskPath string
	HostPath string
	// Permissions is any of "r", "w" and "m".
	Permissions string
}

// DNS is the task's resolver configuration.
type DNS struct {
	Servers  []string
	Searches []string
	Options  []string
}

// NetworkIsolation is a network namespace.
type NetworkIsolation struct {
	Mode NetworkMode
	// Path is the file that stands for the namespace.
	Path   string
	Labels map[string]string
	// Hostname and Address are for the /etc/hosts of its tasks.
	Hostname string
	Address  string
}

// Network is what a driver tells about the address that it gave to a task.
type Network struct {
	IP string
	// PortMap tells for port labels the port at IP.
	PortMap map[string]int
	// AutoAdvertise: services without an address mode are to be registered with IP.
	AutoAdvertise bool
}

// TaskState is the state of a task as its driver sees it.
type TaskState string

// The states of a task.
const (
	TaskUnknown TaskState = "unknown"
	TaskRunning TaskState = "running"
	TaskExited  TaskState = "exited"
)

// TaskHandle is what must be kept to find a task again after the agent or the driver has restarted. It can be written as JSON.
type TaskHandle struct {
	// Version of DriverState, by which a newer driver recognises what an older one wrote.
	Version int
	Config  *TaskConfig
	State   TaskState
	// DriverState is the driver's own business.
	DriverState []byte
	// Network is set when the driver gave the task an address of its own.
	Network *Network
}

// TaskStatus describes a task.
type TaskStatus struct {
	ID    string
	Name  string
	State TaskState
	// StartedAt and CompletedAt are zero until then.
	StartedAt   time.Time
	CompletedAt time.Time
	// Exit is set once the task has exited.
	Exit *ExitResult
	// Attributes are the driver's, for people ("pid", "container_id").
	Attributes map[string]string
	Network    *Network
}

// ExitResult is how a task or a command ended.
type ExitResult struct {
	ExitCode int
	// Signal is the number of the signal that ended it, 0 when it exited by itself.
	Signal    int
	OOMKilled bool
	// Err is set when the driver cannot tell how it ended (ErrExitUnknown) or has more to say.
	Err error
}

// Successful is whether it ended by itself with code 0.
func (r ExitResult) Successful() bool {
	return r.ExitCode == 0 && r.Signal == 0 && !r.OOMKilled && r.Err == nil
}
