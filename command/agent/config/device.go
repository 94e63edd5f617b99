package config

import (
	"maps"
	"slices"

	"github.com/seraihq/serai/client/device"
)

// Device declares a group of like devices, such as GPUs.
type Device struct {
	IDs           []string            `hcl:"ids"`            // one for each
	Attributes    map[string]string   `hcl:"attributes"`     // "memory" = "80 GiB"
	Paths         []string            `hcl:"paths"`          // device nodes that a task with any of them may open
	InstancePaths map[string][]string `hcl:"instance_paths"` // further device nodes, by ID
	Env           string              `hcl:"env"`            // a variable that lists the granted IDs
}

// DeviceConfigs gives the devices in the form the client takes them.
func (c *Client) DeviceConfigs() []device.Config {
	var out []device.Config
	for _, name := range slices.Sorted(maps.Keys(c.Devices)) {
		d := c.Devices[name]
		out = append(out, device.Config{
			Name: name, IDs: d.IDs, Attributes: d.Attributes, Paths: d.Paths, InstancePaths: d.InstancePaths, Env: d.Env,
		})
	}
	return out
}
