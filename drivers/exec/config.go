package exec

import (
	"fmt"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/hostroot"
)

var configSchema = drivers.NewSchema(hostroot.ConfigFields()...)

var taskSchema = drivers.NewSchema(append([]drivers.Field{
	drivers.Required("command", drivers.String),
	drivers.Optional("args", drivers.List(drivers.String)),
}, hostroot.TaskFields()...)...)

// taskConfig is a task's config block.
type taskConfig struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
	hostroot.Task
}

func decodeTask(raw map[string]any) (taskConfig, error) {
	var c taskConfig
	if err := taskSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	if c.Command == "" {
		return c, fmt.Errorf("command is empty: name the program to run")
	}
	return c, nil
}
