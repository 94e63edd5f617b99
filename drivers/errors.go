package drivers

import (
	"errors"
	"fmt"
)

// Kinds of errors. Compare with errors.Is; they survive the way across a plugin connection.
var (
	// ErrTaskNotFound: the driver does not know the task.
	ErrTaskNotFound = errors.New("task not found for given id")
	// ErrUnavailable: the driver's process is gone or does not answer. Its tasks may well run: get the driver anew and recover them.
	ErrUnavailable = errors.New("driver is unavailable")
	// ErrUnsupported: the driver cannot do this at all.
	ErrUnsupported = errors.New("not supported by this driver")
	// ErrDisabled: the driver is turned off on this node.
	ErrDisabled = errors.New("driver is disabled")
	// ErrUnknownDriver: there is no driver of this name on this node.
	ErrUnknownDriver = errors.New("unknown driver")
	// ErrExitUnknown: the task has ended, and nobody was there to learn how.
	ErrExitUnknown = errors.New("exit status unknown: driver host was restarted while the task ran")
)

// ExitCommandNotFound and ExitCommandNotExecutable are the exit codes shells use when a command cannot be run.
const (
	ExitCommandNotExecutable = 126
	ExitCommandNotFound      = 127
)

// StartError is why a task could not be started. An error of another type from Start counts as one that is not Recoverable.
type StartError struct {
	// Recoverable: the same start may succeed later, so the restart policy applies.
	Recoverable bool
	// ExitCode is what the task is shown to have ended with, such as ExitCommandNotFound; 0 when there is none.
	ExitCode int
	Err      error
}

// Error is the text of the cause.
func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// Recoverable marks err as one that another attempt may not meet.
func Recoverable(err error) error {
	if err == nil {
		return nil
	}
	return &StartError{Recoverable: true, Err: err}
}

// IsRecoverable is whether err, from Start, may not come again. A driver that was unavailable counts as recoverable.
func IsRecoverable(err error) bool {
	if se, ok := errors.AsType[*StartError](err); ok {
		return se.Recoverable
	}
	return errors.Is(err, ErrUnavailable)
}

// CommandNotFound is the StartError for a command that does not exist, where says where it was looked for.
func CommandNotFound(command, where string) error {
	return &StartError{
		ExitCode: ExitCommandNotFound,
		Err:      fmt.Errorf("command %q not found %s: check the spelling, and that it is installed there", command, where),
	}
}

// CommandNotExecutable is the StartError for a file that cannot be executed.
func CommandNotExecutable(command string, err error) error {
	return &StartError{
		ExitCode: ExitCommandNotExecutable,
		Err:      fmt.Errorf("command %q cannot be executed: %w", command, err),
	}
}

// TaskNotFound is ErrTaskNotFound naming the task.
func TaskNotFound(id string) error { return fmt.Errorf("task %s: %w", id, ErrTaskNotFound) }
