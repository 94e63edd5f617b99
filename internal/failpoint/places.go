package failpoint

// Places at which Kill stands, by the part that dies there. Tests go through all of them, so one that nobody comes by fails them.
var (
	// Supervise are those of every driver that runs processes: the end of a start, a stop and a removal.
	Supervise = []string{"supervise:begun", "supervise:signalled", "supervise:killing", "supervise:ended", "supervise:destroying", "supervise:cleaned",
		"supervise:removed"}
	// RawExec are those of raw_exec alone.
	RawExec = []string{"raw_exec:grouped", "raw_exec:forked"}
	// Contain are those of containers, whichever driver has them.
	Contain = []string{"contain:recorded", "contain:files", "contain:created", "contain:started", "contain:held", "contain:filtered", "contain:running",
		"contain:limited", "contain:destroyed", "contain:cleared"}
	// Users are those of containers with users of their own.
	Users = []string{"contain:users"}
	// Layers are those of containers made of an image.
	Layers = []string{"container:acquired", "contain:staged", "container:released"}
	// Docker are those of the docker driver.
	Docker = []string{"docker:staged", "docker:created", "docker:started", "docker:killed", "docker:network created"}
	// Task are those of an allocation and its tasks in the agent, in the order of a life.
	Task = []string{"alloc:saved", "step:up:previous", "step:up:alloc_dir", "step:up:disk", "step:up:network", "alloc:ready",
		"step:up:task_dir", "step:up:logs", "step:up:volumes", "step:up:devices", "step:up:dispatch_payload", "step:up:artifacts", "step:up:templates",
		"task:starting", "task:started", "task:kept", "task:stopping", "task:exited", "task:destroyed",
		"step:down:templates", "step:down:artifacts", "step:down:dispatch_payload", "step:down:devices", "step:down:volumes", "step:down:logs", "step:down:task_dir", "task:down",
		"step:down:network", "step:down:disk", "step:down:alloc_dir", "step:down:previous", "alloc:over"}
	// Network are those of the networks of groups.
	Network = []string{"network:recorded", "network:namespace", "network:pair", "network:plugged", "network:ports", "network:connected", "network:routed",
		"network:unrouted", "network:unplugged", "network:removed"}
)

// All lists every place.
func All() []string {
	var out []string
	for _, list := range [][]string{Supervise, RawExec, Contain, Users, Layers, Docker, Task, Network, {"network:plugins"}} {
		out = append(out, list...)
	}
	return out
}
