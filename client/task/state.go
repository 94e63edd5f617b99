package task

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// Spec is what does not change over the life of a task.
type Spec struct {
	Name   string
	Policy api.RestartPolicy
	// RestartOnSuccess: the task is a service, which never ends by itself.
	RestartOnSuccess bool
	KillSignal       string
	KillTimeout      time.Duration
	ShutdownDelay    time.Duration
}

// Phase is where a task stands.
type Phase string

// The phases.
const (
	Waiting   Phase = "waiting"   // for the allocation to let it start
	Preparing Phase = "preparing" // steps go up
	Starting  Phase = "starting"  // the driver was asked to start it
	Running   Phase = "running"
	Backoff   Phase = "backoff"  // waits until it may start again
	Delayed   Phase = "delayed"  // waits for the shutdown delay before it is stopped
	Stopping  Phase = "stopping" // the driver was asked to stop it
	Ending    Phase = "ending"   // steps come down
	Dead      Phase = "dead"
)

// State is a task's whole state. It is a value: Step gives a new one.
type State struct {
	Phase Phase
	Task  api.TaskState

	// The restart policy's count of failures in the interval that began at Since.
	Since time.Time
	Count int

	// Until is when Backoff or Delayed is over.
	Until time.Time
	// Killed: the task is to end for good; told says that the reason was recorded.
	Killed bool
	// Now: it ends without a grace.
	Now bool
	// Again: the task is being stopped only to be started anew.
	Again bool
	// FromCheckpoint: the next start goes on from the task's checkpoint.
	FromCheckpoint bool
	// Failed is what Task.Failed will be when the task is dead.
	Failed bool
}

// EventKind names what happened.
type EventKind string

// The events. Those above the line come from outside, the others answer actions.
const (
	Create  EventKind = "create"  // the allocation was received
	Go      EventKind = "go"      // the task may start
	Kill    EventKind = "kill"    // Cause, NoDelay, Now: end for good
	Restart EventKind = "restart" // Cause: stop and start anew; Revive: also when dead
	Restore EventKind = "restore" // the agent has restarted and loaded the state
	Note    EventKind = "note"    // Cause: only record it
	Keep    EventKind = "keep"    // what set-up steps have left has changed
	Suspend EventKind = "suspend" // its driver has suspended it
	Resume  EventKind = "resume"  // its driver lets it run again

	SetUpDone  EventKind = "set-up"     // Err, Recoverable, Cause: in place of the usual failure
	StartDone  EventKind = "started"    // Err, Recoverable, Exit.ExitCode
	Exited     EventKind = "exited"     // Exit
	Recovered  EventKind = "recovered"  // Err
	StopFailed EventKind = "stop-error" // Err: what remains
	TimerFired EventKind = "timer"
	TornDown   EventKind = "torn-down" // Err
)

// Event is something that happened to the task.
type Event struct {
	Kind EventKind
	Time time.Time
	// Jitter in [0,1) lengthens a restart delay by up to a quarter.
	Jitter      float64
	Err         string
	Recoverable bool
	Exit        drivers.ExitResult
	Cause       *api.TaskEvent
	NoDelay     bool
	Now         bool // without a grace either
	Revive      bool
	// FromCheckpoint: a restart goes on from the task's checkpoint.
	FromCheckpoint bool
}

// ActionKind names what is to be done.
type ActionKind string

// The actions. SetUp, Start, Watch, Recover, Stop and TearDown run beside the
// loop, and their outcome is an event; a Stop that works has none, Watch tells.
const (
	SetUp    ActionKind = "set-up"
	Start    ActionKind = "start"
	Watch    ActionKind = "watch"   // wait for the exit
	Recover  ActionKind = "recover" // find the running task again
	Stop     ActionKind = "stop"    // Signal, Timeout
	Destroy  ActionKind = "destroy" // let the driver forget the ended task
	TearDown ActionKind = "tear-down"
	Cancel   ActionKind = "cancel" // the set-up that runs
	Timer    ActionKind = "timer"  // Delay; replaces an earlier one
	Save     ActionKind = "save"   // keep the state over a restart of the agent
	Tell     ActionKind = "tell"   // tell the allocation; Urgent: at once
)

// Action is something to be done.
type Action struct {
	Kind    ActionKind
	Delay   time.Duration
	Signal  string
	Timeout time.Duration
	Urgent  bool
}
