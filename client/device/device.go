package device

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/taskenv"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/pattern"
)

// Limits of what an operator may declare of one kind.
const (
	maxIDs   = 1024
	maxPaths = 256
)

// Config is a group of like devices as the operator declares it.
type Config struct {
	Name       string            // vendor/type/model
	IDs        []string          // one for each device
	Attributes map[string]string // "memory" = "80 GiB"
	// Paths are device nodes that a task with any of these devices may open;
	// InstancePaths those that belong to one device, by its ID.
	Paths         []string
	InstancePaths map[string][]string
	// Env is a further variable that lists the IDs of the granted devices.
	Env string
}

// Set is the devices of a node. A nil Set has none.
type Set struct{ list []Config }

// NewSet checks what was declared; every problem is told.
func NewSet(list []Config) (*Set, error) {
	var all error
	names, ids := map[string]bool{}, map[string]string{}
	for _, c := range list {
		fail := func(format string, args ...any) {
			all = errors.Join(all, fmt.Errorf("client.device %q: "+format, append([]any{c.Name}, args...)...))
		}
		if names[c.Name] {
			fail("it is declared twice")
		}
		names[c.Name] = true
		c.check(fail)
		for _, id := range c.IDs {
			if other, taken := ids[id]; taken {
				fail("id %q is that of a device of %q too: each device needs its own", id, other)
			}
			ids[id] = c.Name
		}
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Config) int { return strings.Compare(a.Name, b.Name) })
	return &Set{list: list}, all
}

var (
	nameForm = pattern.New(`^[A-Za-z0-9._ -]+/[A-Za-z0-9._ -]+/[A-Za-z0-9._ -]+$`)
	idForm   = pattern.New(`^[A-Za-z0-9._:/-]{1,128}$`)
	envForm  = pattern.New(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

func (c *Config) check(fail func(format string, args ...any)) {
	if len(c.Name) > 256 || !nameForm.MatchString(c.Name) {
		fail("its label must be VENDOR/TYPE/MODEL, for example \"nvidia/gpu/a100\"")
	}
	if len(c.IDs) == 0 || len(c.IDs) > maxIDs {
		fail("ids must name from 1 to %d devices, not %d", maxIDs, len(c.IDs))
	}
	for _, id := range c.IDs {
		if !idForm.MatchString(id) {
			fail("id %q must be of at most 128 letters, digits and . _ : / -", id)
		}
	}
	if c.Env != "" && !envForm.MatchString(c.Env) {
		fail("env %q is not the name of a variable", c.Env)
	}
	if strings.HasPrefix(c.Env, "NOMAD_") {
		fail("env %q: variables that begin with NOMAD_ are the agent's own", c.Env)
	}
	count := len(c.Paths)
	for _, p := range c.Paths {
		checkPath("paths", p, fail)
	}
	for _, id := range slices.Sorted(maps.Keys(c.InstancePaths)) {
		if !slices.Contains(c.IDs, id) {
			fail("instance_paths: %q is none of its ids", id)
		}
		count += len(c.InstancePaths[id])
		for _, p := range c.InstancePaths[id] {
			checkPath("instance_paths", p, fail)
		}
	}
	if count > maxPaths {
		fail("has %d paths; at most %d are allowed", count, maxPaths)
	}
	for name, text := range c.Attributes {
		if name == "" || len(text) > 512 {
			fail("attributes: %q must have a name and at most 512 bytes", name)
		}
	}
}

func checkPath(key, p string, fail func(format string, args ...any)) {
	if !strings.HasPrefix(p, "/dev/") || filepath.Clean(p) != p {
		fail("%s: %q must be the absolute path of a device node, beneath /dev", key, p)
	}
}

// Resources describes the devices to the servers. One whose device nodes are
// missing is not healthy, and nothing is placed on it.
func (s *Set) Resources() []*api.NodeDeviceResource {
	if s == nil {
		return nil
	}
	var out []*api.NodeDeviceResource
	for _, c := range s.list {
		vendor, kind, model := c.parts()
		r := &api.NodeDeviceResource{Vendor: vendor, Type: kind, Name: model, Attributes: map[string]*api.Attribute{}}
		for name, text := range c.Attributes {
			r.Attributes[name] = ParseAttribute(text)
		}
		for _, id := range c.IDs {
			d := &api.NodeDevice{ID: id, Healthy: true}
			for _, p := range c.pathsOf(id) {
				if err := isDevice(p); err != nil {
					d.Healthy, d.HealthDescription = false, err.Error()
					break
				}
			}
			r.Instances = append(r.Instances, d)
		}
		out = append(out, r)
	}
	return out
}

func (c *Config) parts() (vendor, kind, model string) {
	f := strings.SplitN(c.Name, "/", 3)
	return f[0], f[1], f[2]
}

func (c *Config) pathsOf(id string) []string {
	return append(slices.Clone(c.Paths), c.InstancePaths[id]...)
}

func isDevice(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("device node %s: %w", path, errors.Unwrap(err))
	}
	if st.Mode()&os.ModeDevice == 0 {
		return fmt.Errorf("%s is not a device node", path)
	}
	return nil
}

// Grant gives what a task gets with its devices: variables that list their IDs
// and, for a part of a device, how large that is; and the device nodes.
//
// SERAI_DEVICE_<TYPE> lists the IDs, SERAI_DEVICE_<TYPE>_SHARE is the part; the
// operator's own variable lists the IDs too. A device that is not declared any
// more is an error: the task could not reach it.
func (s *Set) Grant(granted []*api.AllocatedDeviceResource) (map[string]string, []drivers.Device, error) {
	env := map[string]string{}
	var nodes []drivers.Device
	for _, g := range granted {
		c := s.lookup(g)
		if c == nil {
			return nil, nil, api.Errorf(api.ErrInvalid, "device %s/%s/%s is not declared on this node any more", g.Vendor, g.Type, g.Name)
		}
		name := "SERAI_DEVICE_" + strings.ToUpper(strings.ReplaceAll(taskenv.Name(g.Type), ".", "_"))
		add(env, name, g.DeviceIDs)
		if c.Env != "" {
			add(env, c.Env, g.DeviceIDs)
		}
		if g.Share > 0 {
			add(env, name+"_SHARE", []string{strconv.FormatFloat(g.Share, 'g', -1, 64)})
		}
		for _, id := range g.DeviceIDs {
			if !slices.Contains(c.IDs, id) {
				return nil, nil, api.Errorf(api.ErrInvalid, "device %q of %s is not declared on this node any more", id, c.Name)
			}
			for _, p := range c.pathsOf(id) {
				node := drivers.Device{TaskPath: p, HostPath: p, Permissions: "rw"}
				if !slices.Contains(nodes, node) {
					nodes = append(nodes, node)
				}
			}
		}
	}
	return env, nodes, nil
}

func (s *Set) lookup(g *api.AllocatedDeviceResource) *Config {
	if s == nil {
		return nil
	}
	for i := range s.list {
		if s.list[i].Name == g.Vendor+"/"+g.Type+"/"+g.Name {
			return &s.list[i]
		}
	}
	return nil
}

func add(env map[string]string, name string, values []string) {
	text := strings.Join(values, ",")
	if old := env[name]; old != "" {
		text = old + "," + text
	}
	env[name] = text
}
