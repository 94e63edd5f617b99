package drivers

import "time"

// Info says what a driver is.
type Info struct {
	// Name is what job files write in driver = "…".
	Name string
	// Version is the driver's own version, such as "0.1.0".
	Version   string
	Abilities Abilities
}

// Abilities is what a driver can do beyond starting and stopping.
type Abilities struct {
	// Signal: it implements Signaler.
	Signal bool
	// Exec: it implements Execer.
	Exec bool
	// FS is how the task's view of the file system is built.
	FS FSIsolation
	// NetworkModes are the kinds of network that a task can be put in; empty means host only.
	NetworkModes []NetworkMode
	// MustCreateNetwork: it implements Networker, and the agent must use that for group networks.
	MustCreateNetwork bool
	// Mounts: it honours TaskConfig.Mounts and TaskConfig.Devices.
	Mounts bool
	// DisableLogCollection: it ships logs itself; StdoutPath and StderrPath are not read.
	DisableLogCollection bool
	// DynamicUsers: a task whose job names no user may be given one of the range that the agent hands out: a user of the allocation alone, without an
	// entry in the password file. TaskConfig.User is then its number, or "nomad-" and its number for external drivers.
	DynamicUsers bool
	// Suspend: it implements Suspender.
	Suspend bool
	// Checkpoint: it implements Checkpointer. Whether that works on a node can also depend on what is installed there.
	Checkpoint bool
}

// FSIsolation is how the task's view of the file system is built.
type FSIsolation string

// The kinds of file system isolation. With FSNone the task sees the host's paths and its directories are absolute host paths; with
// FSChroot and FSImage it finds them at /alloc, /local and /secrets; with FSUnveil at host paths, the rest hidden.
const (
	FSNone   FSIsolation = "none"
	FSChroot FSIsolation = "chroot"
	FSImage  FSIsolation = "image"
	FSUnveil FSIsolation = "unveil"
)

// NetworkMode is a kind of network a task can be put in.
type NetworkMode string

// The kinds of network: the host's, one shared by the group, one of the task's own, none.
const (
	NetworkHost  NetworkMode = "host"
	NetworkGroup NetworkMode = "group"
	NetworkTask  NetworkMode = "task"
	NetworkNone  NetworkMode = "none"
)

// Health is whether a driver can be used on this node.
type Health string

// The states of health: the driver does not exist here, exists and cannot start tasks, works.
const (
	HealthUndetected Health = "undetected"
	HealthUnhealthy  Health = "unhealthy"
	HealthHealthy    Health = "healthy"
)

// Fingerprint is what a driver finds out about its node.
type Fingerprint struct {
	// Attributes go to the node's attributes as they are; names start with "driver.<name>". Values are string, bool, int64 or float64.
	Attributes map[string]any
	Health     Health
	// Description is one short sentence for people.
	Description string
	// Err is set when the driver could not tell; the other fields are then void.
	Err error
}

// TaskEvent is something that a driver tells about a task.
type TaskEvent struct {
	TaskID      string
	AllocID     string
	TaskName    string
	Time        time.Time
	Message     string
	Annotations map[string]string
	// Err is set when the stream of events broke; the other fields are then void.
	Err error
}
