package drivers

import (
	"context"
	"io"
	"time"
)

// Driver runs tasks of one kind. All methods may be called from several goroutines at once. A task is named by TaskConfig.ID; a method
// asked about an ID that the driver does not know returns an error that matches ErrTaskNotFound.
type Driver interface {
	// Info says what the driver is and can do. It is constant over the driver's life and never blocks.
	Info() Info
	// ConfigSchema describes the driver's own configuration, the body of plugin "<name>" { config { … } } in the agent's configuration.
	ConfigSchema() *Schema
	// TaskSchema describes the body of a task's config block.
	TaskSchema() *Schema
	// Configure sets the driver's own configuration, raw as written by the operator (the driver decodes it with ConfigSchema). It is
	// called once before the first task, and may be called again with other values; those then hold for tasks started later.
	Configure(ctx context.Context, config map[string]any) error
	// Fingerprint reports at once, and again whenever the answer changes, until ctx ends; then the channel is closed.
	Fingerprint(ctx context.Context) (<-chan Fingerprint, error)
	// Start runs the task and returns when it runs. The returned handle is all that Recover needs to find it again. A StartError says
	// whether another attempt could succeed.
	Start(ctx context.Context, task *TaskConfig) (*TaskHandle, error)
	// Recover takes charge of a task that an earlier process of this driver started. It succeeds also when the task has ended
	// meanwhile (Wait then tells), and is a no-op for a task that the driver already knows.
	Recover(ctx context.Context, handle *TaskHandle) error
	// Inspect describes a task.
	Inspect(ctx context.Context, id string) (TaskStatus, error)
	// Wait returns when the task has ended, with how it ended, or when ctx ends. It may be called often and keeps its answer until Destroy.
	Wait(ctx context.Context, id string) (ExitResult, error)
	// Stop sends signal (empty means the driver's usual one, SIGTERM or SIGINT) and, when the task still runs after timeout, kills all of it. It
	// returns once nothing of the task runs any more, or with an error that says what remains.
	Stop(ctx context.Context, id string, timeout time.Duration, signal string) error
	// Destroy frees what is left of a task and forgets it. A task that still runs is refused unless force is set, which kills it first.
	// Destroying an unknown task is not an error.
	Destroy(ctx context.Context, id string, force bool) error
}

// Signaler is a driver that can send a signal to a task (Abilities.Signal).
type Signaler interface {
	// Signal sends the named signal ("SIGHUP", "HUP") to the task's main process.
	Signal(ctx context.Context, id, signal string) error
}

// Execer is a driver that can run a further command inside a task (Abilities.Exec).
type Execer interface {
	// Exec runs the command in the task's surroundings until it ends or ctx does; then the command is killed. The result is that of
	// the command; an error means that it could not be run.
	Exec(ctx context.Context, id string, req ExecRequest) (ExitResult, error)
}

// ExecRequest is one command for Execer.Exec. Nil streams are empty input and discarded output.
type ExecRequest struct {
	Command []string
	// TTY gives the command a terminal: output then comes on Stdout alone.
	TTY    bool
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Resize carries new terminal sizes; nil when there are none.
	Resize <-chan TerminalSize
}

// TerminalSize is the size of a terminal in characters.
type TerminalSize struct{ Height, Width int }

// Stater is a driver that measures its tasks.
type Stater interface {
	// Stats sends one measurement at once and then one every interval, until ctx or the task ends; then the channel is closed.
	Stats(ctx context.Context, id string, interval time.Duration) (<-chan ResourceUsage, error)
}

// EventSource is a driver that has something to tell about its tasks between start and end.
type EventSource interface {
	// Events sends what happens to any of the driver's tasks until ctx ends; then the channel is closed.
	Events(ctx context.Context) (<-chan TaskEvent, error)
}

// Networker is a driver that makes the network namespace of a group itself (Abilities.MustCreateNetwork).
type Networker interface {
	// CreateNetwork makes the namespace, or finds the one made earlier; created tells which.
	CreateNetwork(ctx context.Context, allocID, hostname string) (spec *NetworkIsolation, created bool, err error)
	// DestroyNetwork undoes CreateNetwork.
	DestroyNetwork(ctx context.Context, allocID string, spec *NetworkIsolation) error
}

// Suspender is a driver that can stop a task from running for a while, without its noticing (Abilities.Suspend).
type Suspender interface {
	// Suspend returns when nothing of the task runs. The task keeps its memory, files and connections; it stays suspended when the driver's
	// process ends. To suspend it again is not an error. Stop, and Destroy with force, end a suspended task as any other.
	Suspend(ctx context.Context, id string) error
	// Resume lets it run on; a task that runs is not an error.
	Resume(ctx context.Context, id string) error
}

// Checkpointer is a driver that can write what a task is in the middle of to files, and start a task from there (Abilities.Checkpoint).
type Checkpointer interface {
	// Checkpoint writes the task's processes to dir, an empty directory beneath the task's AllocDir that only the agent can reach. The task
	// runs on; one that is suspended is refused. An error that matches ErrUnsupported says what the node lacks.
	Checkpoint(ctx context.Context, id, dir string) error
	// Restore is Start, but from what Checkpoint wrote for a task of the same configuration.
	Restore(ctx context.Context, task *TaskConfig, dir string) (*TaskHandle, error)
}

// SuspenderOf returns d as a Suspender when it can suspend tasks.
func SuspenderOf(d Driver) (Suspender, bool) {
	s, ok := d.(Suspender)
	return s, ok && d.Info().Abilities.Suspend
}

// CheckpointerOf returns d as a Checkpointer when it can write tasks to files.
func CheckpointerOf(d Driver) (Checkpointer, bool) {
	c, ok := d.(Checkpointer)
	return c, ok && d.Info().Abilities.Checkpoint
}

// SignalerOf returns d as a Signaler when it can signal. Ask this rather than asserting the type: a driver on the other side of a plugin
// connection has every method and only its Info says which ones work.
func SignalerOf(d Driver) (Signaler, bool) {
	s, ok := d.(Signaler)
	return s, ok && d.Info().Abilities.Signal
}

// ExecerOf returns d as an Execer when it can run commands inside tasks.
func ExecerOf(d Driver) (Execer, bool) {
	e, ok := d.(Execer)
	return e, ok && d.Info().Abilities.Exec
}

// NetworkerOf returns d as a Networker when it makes network namespaces itself.
func NetworkerOf(d Driver) (Networker, bool) {
	n, ok := d.(Networker)
	return n, ok && d.Info().Abilities.MustCreateNetwork
}

// StaterOf returns d as a Stater when it measures tasks.
func StaterOf(d Driver) (Stater, bool) {
	s, ok := d.(Stater)
	return s, ok
}

// EventSourceOf returns d as an EventSource when it reports events.
func EventSourceOf(d Driver) (EventSource, bool) {
	e, ok := d.(EventSource)
	return e, ok
}
