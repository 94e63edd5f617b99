package task

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// The events that a task's history is made of: the facts for programs, and a
// sentence for people. Time is set when they are recorded.

func received() api.TaskEvent {
	return api.TaskEvent{Type: api.TaskReceived, DisplayMessage: "Task received by client"}
}

func setup() api.TaskEvent {
	return detailed(api.TaskEvent{Type: api.TaskSetup, Message: "Building Task Directory"}, "message", "Building Task Directory")
}

func setupFailure(err string) api.TaskEvent {
	return detailed(api.TaskEvent{Type: api.TaskSetupFailure, SetupError: err, DisplayMessage: err}, "setup_error", err)
}

func teardownFailure(err string) api.TaskEvent {
	return detailed(api.TaskEvent{Type: api.TaskHookFailed, DisplayMessage: err, Message: err}, "error", err)
}

func started() api.TaskEvent {
	return api.TaskEvent{Type: api.TaskStarted, DisplayMessage: "Task started by client"}
}

func driverFailure(err string, exitCode int) api.TaskEvent {
	e := detailed(api.TaskEvent{Type: api.TaskDriverFailure, DriverError: err, DisplayMessage: err, ExitCode: exitCode}, "driver_error", err)
	if exitCode != 0 {
		e.Details["exit_code"] = strconv.Itoa(exitCode)
	}
	return e
}

func terminated(x drivers.ExitResult) api.TaskEvent {
	message := ""
	switch {
	case x.OOMKilled:
		message = "OOM Killed"
	case x.Err != nil:
		message = x.Err.Error()
	}
	parts := []string{fmt.Sprintf("Exit Code: %d", x.ExitCode)}
	if x.Signal != 0 {
		parts = append(parts, fmt.Sprintf("Signal: %d", x.Signal))
	}
	if message != "" {
		parts = append(parts, fmt.Sprintf("Exit Message: %q", message))
	}
	e := api.TaskEvent{
		Type: api.TaskTerminated, ExitCode: x.ExitCode, Signal: x.Signal, Message: message,
		DisplayMessage: strings.Join(parts, ", "),
	}
	e = detailed(e, "exit_code", strconv.Itoa(x.ExitCode))
	e.Details["signal"] = strconv.Itoa(x.Signal)
	e.Details["oom_killed"] = strconv.FormatBool(x.OOMKilled)
	if message != "" {
		e.Details["exit_message"] = message
	}
	return e
}

func restarting(reason string, delay time.Duration) api.TaskEvent {
	e := api.TaskEvent{
		Type: api.TaskRestarting, RestartReason: reason, StartDelay: int64(delay),
		DisplayMessage: fmt.Sprintf("Task restarting in %v", delay),
	}
	e = detailed(e, "start_delay", strconv.FormatInt(int64(delay), 10))
	if reason != "" {
		e.Details["restart_reason"] = reason
	}
	return e
}

func notRestarting(reason string, failed bool) api.TaskEvent {
	e := detailed(api.TaskEvent{Type: api.TaskNotRestarting, RestartReason: reason, DisplayMessage: reason, FailsTask: failed}, "restart_reason", reason)
	if failed {
		e.Details["fails_task"] = "true"
	}
	return e
}

func killing(timeout time.Duration) api.TaskEvent {
	e := api.TaskEvent{
		Type: api.TaskKilling, KillTimeout: api.Duration(timeout),
		DisplayMessage: fmt.Sprintf("Sent interrupt. Waiting %v before force killing", timeout),
	}
	return detailed(e, "kill_timeout", timeout.String())
}

func killError(err string) api.TaskEvent {
	return detailed(api.TaskEvent{Type: api.TaskKilling, KillError: err, DisplayMessage: err}, "kill_error", err)
}

func killed() api.TaskEvent {
	return api.TaskEvent{Type: api.TaskKilled, DisplayMessage: "Task successfully killed"}
}

func waitingForDelay(d time.Duration) api.TaskEvent {
	return api.TaskEvent{
		Type:           api.TaskWaitingShutdownDelay,
		DisplayMessage: fmt.Sprintf("Waiting for shutdown_delay of %v before killing the task.", d),
	}
}

func skippingDelay(d time.Duration) api.TaskEvent {
	return api.TaskEvent{
		Type:           api.TaskSkippingShutdownDelay,
		DisplayMessage: fmt.Sprintf("Skipping shutdown_delay of %v before killing the task.", d),
	}
}

func restoreFailure(err string) api.TaskEvent {
	text := "The task was not found again after a restart of the agent: " + err
	return detailed(api.TaskEvent{Type: api.TaskRestoreFailed, DisplayMessage: text, DriverError: err}, "error", err)
}

// SiblingFailed is the cause of a kill because another task of the group failed.
func SiblingFailed(name string) *api.TaskEvent {
	e := detailed(api.TaskEvent{
		Type: api.TaskSiblingFailed, FailedSibling: name,
		DisplayMessage: fmt.Sprintf("Task's sibling %q failed", name),
	}, "failed_sibling", name)
	return &e
}

// LeaderDead is the cause of a kill because the group's leader has ended.
func LeaderDead() *api.TaskEvent {
	return &api.TaskEvent{Type: api.TaskLeaderDead, DisplayMessage: "Leader Task in Group dead"}
}

// MainDead is the cause of a kill because all main tasks have ended.
func MainDead() *api.TaskEvent {
	return &api.TaskEvent{Type: api.TaskMainDead, DisplayMessage: "Main tasks in the group died"}
}

// Unhealthy tells why the task kept its allocation from being found healthy.
func Unhealthy(text string) *api.TaskEvent {
	e := detailed(api.TaskEvent{Type: api.TaskAllocUnhealthy, DisplayMessage: text, Message: text}, "message", text)
	return &e
}

// Message tells something about the set-up of the allocation.
func Message(text string) *api.TaskEvent {
	e := detailed(api.TaskEvent{Type: api.TaskHookMessage, DisplayMessage: text, Message: text}, "message", text)
	return &e
}

// Reconnected tells that the servers had lost sight of the task's node.
func Reconnected() *api.TaskEvent {
	return &api.TaskEvent{Type: api.TaskClientReconnected, DisplayMessage: "Client reconnected"}
}

// RestartRequested is the cause of a restart that somebody asked for.
func RestartRequested(reason string) *api.TaskEvent {
	e := detailed(api.TaskEvent{Type: api.TaskRestartSignal, RestartReason: reason, DisplayMessage: reason}, "restart_reason", reason)
	return &e
}

// Signaling tells that the task was sent a signal.
func Signaling(signal, reason string) *api.TaskEvent {
	text := "Task being sent signal " + signal
	if reason != "" {
		text += ": " + reason
	}
	e := detailed(api.TaskEvent{Type: api.TaskSignaling, TaskSignal: signal, TaskSignalReason: reason, DisplayMessage: text}, "signal", signal)
	return &e
}

// KillReason is the cause of a kill for a reason of the client's own.
func KillReason(reason string, fails bool) *api.TaskEvent {
	e := detailed(api.TaskEvent{Type: api.TaskKilling, KillReason: reason, DisplayMessage: reason, FailsTask: fails}, "kill_reason", reason)
	return &e
}

func detailed(e api.TaskEvent, key, value string) api.TaskEvent {
	if e.DisplayMessage == "" {
		e.DisplayMessage = value
	}
	e.Details = map[string]string{key: value}
	return e
}
