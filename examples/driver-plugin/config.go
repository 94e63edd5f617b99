package main

import (
	"fmt"
	"slices"

	"github.com/seraihq/serai/drivers"
)

// configSchema is what the operator may write in plugin "…" { config { … } }.
var configSchema = drivers.NewSchema(
	drivers.WithDefault("interpreters", drivers.List(drivers.String), []any{"/bin/sh", "bash", "python3", "perl", "awk"}),
)

// config is that as a struct, by its json tags.
type config struct {
	// Interpreters are the only programs that jobs may name.
	Interpreters []string `json:"interpreters"`
}

// taskSchema is what a job may write in a task's config. The agent and the servers check jobs with it, so a misspelt name is told when the job
// is submitted.
var taskSchema = drivers.NewSchema(
	drivers.WithDefault("command", drivers.String, "/bin/sh"),
	drivers.Required("script", drivers.String),
	drivers.Optional("args", drivers.List(drivers.String)),
)

type taskConfig struct {
	Command string   `json:"command"`
	Script  string   `json:"script"`
	Args    []string `json:"args"`
}

func decodeTask(raw map[string]any, allowed config) (taskConfig, error) {
	var c taskConfig
	if err := taskSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	if !slices.Contains(allowed.Interpreters, c.Command) {
		return c, fmt.Errorf("command %q is not among the interpreters %v that this node allows", c.Command, allowed.Interpreters)
	}
	return c, nil
}
