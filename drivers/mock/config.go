package mock

import (
	"fmt"
	"time"

	"github.com/seraihq/serai/drivers"
)

// commandFields are those that a task and a command inside it share.
func commandFields() []drivers.Field {
	return []drivers.Field{
		drivers.Optional("run_for", drivers.String),
		drivers.Optional("exit_code", drivers.Number),
		drivers.Optional("exit_signal", drivers.Number),
		drivers.Optional("exit_err_msg", drivers.String),
		drivers.Optional("signal_error", drivers.String),
		drivers.Optional("plugin_exit_after", drivers.String),
		drivers.Optional("stdout_string", drivers.String),
		drivers.Optional("stdout_repeat", drivers.Number),
		drivers.Optional("stdout_repeat_duration", drivers.String),
		drivers.Optional("stderr_string", drivers.String),
		drivers.Optional("stderr_repeat", drivers.Number),
		drivers.Optional("stderr_repeat_duration", drivers.String),
	}
}

var taskSchema = drivers.NewSchema(append(commandFields(),
	drivers.Optional("start_error", drivers.String),
	drivers.Optional("start_error_recoverable", drivers.Bool),
	drivers.Optional("start_block_for", drivers.String),
	drivers.Optional("kill_after", drivers.String),
	drivers.Optional("driver_ip", drivers.String),
	drivers.Optional("driver_advertise", drivers.Bool),
	drivers.Optional("driver_port_map", drivers.String),
	drivers.OneBlock("exec_command", commandFields()...),
)...)

var configSchema = drivers.NewSchema(
	drivers.WithDefault("fs_isolation", drivers.String, "none"),
	drivers.Optional("shutdown_periodic_after", drivers.Bool),
	drivers.Optional("shutdown_periodic_duration", drivers.Number),
)

// config is the driver's own configuration.
type config struct {
	FSIsolation              drivers.FSIsolation `json:"fs_isolation"`
	ShutdownPeriodicAfter    bool                `json:"shutdown_periodic_after"`
	ShutdownPeriodicDuration int                 `json:"shutdown_periodic_duration"`
}

// duration is a time.Duration written as a string.
type duration time.Duration

// UnmarshalJSON reads "1m30s".
func (d *duration) UnmarshalJSON(text []byte) error {
	if string(text) == `""` {
		return nil
	}
	if len(text) < 2 || text[0] != '"' {
		return fmt.Errorf("duration %s: write it as a string such as \"10s\"", text)
	}
	v, err := time.ParseDuration(string(text[1 : len(text)-1]))
	*d = duration(v)
	return err
}

// command is what a task or a command inside it does.
type command struct {
	RunFor          duration `json:"run_for"`
	ExitCode        int      `json:"exit_code"`
	ExitSignal      int      `json:"exit_signal"`
	ExitErrMsg      string   `json:"exit_err_msg"`
	SignalError     string   `json:"signal_error"`
	PluginExitAfter duration `json:"plugin_exit_after"`

	Stdout         string   `json:"stdout_string"`
	StdoutRepeat   int      `json:"stdout_repeat"`
	StdoutDuration duration `json:"stdout_repeat_duration"`
	Stderr         string   `json:"stderr_string"`
	StderrRepeat   int      `json:"stderr_repeat"`
	StderrDuration duration `json:"stderr_repeat_duration"`
}

// taskConfig is a task's config block.
type taskConfig struct {
	command
	StartError            string   `json:"start_error"`
	StartErrorRecoverable bool     `json:"start_error_recoverable"`
	StartBlockFor         duration `json:"start_block_for"`
	KillAfter             duration `json:"kill_after"`
	DriverIP              string   `json:"driver_ip"`
	DriverAdvertise       bool     `json:"driver_advertise"`
	DriverPortMap         string   `json:"driver_port_map"`
	ExecCommand           *command `json:"exec_command"`
}
