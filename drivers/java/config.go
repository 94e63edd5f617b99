package java

import (
	"errors"
	"path"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/hostroot"
)

var configSchema = drivers.NewSchema(hostroot.ConfigFields()...)

var taskSchema = drivers.NewSchema(append([]drivers.Field{
	drivers.Optional("jar_path", drivers.String),
	drivers.Optional("class", drivers.String),
	drivers.Optional("class_path", drivers.String),
	drivers.Optional("jvm_options", drivers.List(drivers.String)),
	drivers.Optional("args", drivers.List(drivers.String)),
}, hostroot.TaskFields()...)...)

// taskConfig is a task's config block.
type taskConfig struct {
	JarPath    string   `json:"jar_path"`
	Class      string   `json:"class"`
	ClassPath  string   `json:"class_path"`
	JVMOptions []string `json:"jvm_options"`
	Args       []string `json:"args"`
	hostroot.Task
}

func decodeTask(raw map[string]any) (taskConfig, error) {
	var c taskConfig
	if err := taskSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	switch {
	case c.JarPath == "" && c.Class == "":
		return c, errors.New("neither jar_path nor class is set: say what to run")
	case c.JarPath != "" && c.Class != "":
		return c, errors.New("jar_path and class are both set: a jar names its class itself")
	case c.JarPath != "" && c.ClassPath != "":
		return c, errors.New("class_path has no effect with jar_path: a jar names its class path itself")
	}
	return c, nil
}

// command is the command line, by the path of the virtual machine.
func (c taskConfig) command(java string) []string {
	line := append([]string{java}, c.JVMOptions...)
	if c.ClassPath != "" {
		line = append(line, "-cp", c.ClassPath)
	}
	if c.JarPath != "" {
		// From the task's root, wherever the task starts.
		line = append(line, "-jar", path.Join("/", c.JarPath))
	} else {
		line = append(line, c.Class)
	}
	return append(line, c.Args...)
}
