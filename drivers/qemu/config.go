package qemu

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/user"
	"github.com/seraihq/serai/internal/pattern"
)

// nobody is the user that QEMU runs as when neither operator nor job name one.
const nobody = "nobody"

var configSchema = drivers.NewSchema(
	drivers.Optional("image_paths", drivers.List(drivers.String)),
	drivers.Optional("args_allowlist", drivers.List(drivers.String)),
	drivers.Optional("emulators_allowlist", drivers.List(drivers.String)),
	drivers.WithDefault("user", drivers.String, nobody),
	drivers.Optional("denied_host_uids", drivers.String),
	drivers.Optional("denied_host_gids", drivers.String),
)

var taskSchema = drivers.NewSchema(
	drivers.Optional("image_path", drivers.String),
	drivers.Optional("image_format", drivers.String),
	drivers.WithDefault("drive_interface", drivers.String, "ide"),
	drivers.Optional("kernel", drivers.String),
	drivers.Optional("initrd", drivers.String),
	drivers.Optional("append", drivers.String),
	drivers.Optional("accelerator", drivers.String),
	drivers.WithDefault("machine_type", drivers.String, "pc"),
	drivers.Optional("emulator", drivers.String),
	drivers.Optional("cpus", drivers.Number),
	drivers.WithDefault("network_device", drivers.String, "virtio-net-pci"),
	drivers.Optional("restrict_network", drivers.Bool),
	drivers.Optional("graceful_shutdown", drivers.Bool),
	drivers.Optional("guest_agent", drivers.Bool),
	drivers.Optional("args", drivers.List(drivers.String)),
	drivers.Optional("port_map", drivers.Map(drivers.Number)),
)

// config is the driver's own configuration.
type config struct {
	ImagePaths         []string `json:"image_paths"`
	ArgsAllowlist      []string `json:"args_allowlist"`
	EmulatorsAllowlist []string `json:"emulators_allowlist"`
	User               string   `json:"user"`
	DeniedHostUIDs     string   `json:"denied_host_uids"`
	DeniedHostGIDs     string   `json:"denied_host_gids"`

	uids, gids user.Ranges
}

func decodeConfig(raw map[string]any) (config, error) {
	var c config
	if err := configSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	for _, p := range c.ImagePaths {
		if !filepath.IsAbs(p) {
			return c, fmt.Errorf("image_paths: %q is not an absolute path", p)
		}
	}
	for _, p := range c.ArgsAllowlist {
		if err := checkAllowed(p); err != nil {
			return c, fmt.Errorf("args_allowlist: %w", err)
		}
	}
	for _, e := range c.EmulatorsAllowlist {
		if !filepath.IsAbs(e) && strings.Contains(e, "/") || e == "" {
			return c, fmt.Errorf("emulators_allowlist: %q must be the name of a program or an absolute path", e)
		}
	}
	var err error
	if c.uids, err = user.ParseRanges(c.DeniedHostUIDs); err != nil {
		return c, fmt.Errorf("denied_host_uids: %w", err)
	}
	if c.gids, err = user.ParseRanges(c.DeniedHostGIDs); err != nil {
		return c, fmt.Errorf("denied_host_gids: %w", err)
	}
	return c, nil
}

// taskConfig is a task's config block.
type taskConfig struct {
	ImagePath        string         `json:"image_path"`
	ImageFormat      string         `json:"image_format"`
	DriveInterface   string         `json:"drive_interface"`
	Kernel           string         `json:"kernel"`
	Initrd           string         `json:"initrd"`
	Append           string         `json:"append"`
	Accelerator      string         `json:"accelerator"`
	MachineType      string         `json:"machine_type"`
	Emulator         string         `json:"emulator"`
	CPUs             int            `json:"cpus"`
	NetworkDevice    string         `json:"network_device"`
	RestrictNetwork  bool           `json:"restrict_network"`
	GracefulShutdown bool           `json:"graceful_shutdown"`
	GuestAgent       bool           `json:"guest_agent"`
	Args             []string       `json:"args"`
	PortMap          map[string]int `json:"port_map"`
}

var (
	// interfaces are those that QEMU's -drive if= knows.
	interfaces = []string{"ide", "scsi", "sd", "mtd", "floppy", "pflash", "virtio", "none"}
	// word is what a machine type or a device may be: no comma or equals sign, which would begin a further property.
	word = pattern.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

const (
	maxCPUs   = 64
	maxAppend = 2048 // what Linux takes on x86
)

func decodeTask(raw map[string]any) (taskConfig, error) {
	var c taskConfig
	if err := taskSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	return c, errors.Join(c.checkBoot(), c.checkMachine(), c.checkPorts())
}

func (c *taskConfig) checkBoot() error {
	switch {
	case c.ImagePath == "" && c.Kernel == "":
		return errors.New("config: name a disk with image_path, or a kernel")
	case c.Kernel == "" && (c.Initrd != "" || c.Append != ""):
		return errors.New("config: initrd and append need a kernel")
	case len(c.Append) > maxAppend || strings.ContainsRune(c.Append, 0):
		return fmt.Errorf("config: append must have at most %d bytes, none of them zero", maxAppend)
	case c.ImageFormat != "" && c.ImageFormat != formatRaw && c.ImageFormat != formatQcow2:
		return fmt.Errorf("config: image_format %q: use %q or %q, or leave it out to have it found", c.ImageFormat, formatRaw, formatQcow2)
	case !slices.Contains(interfaces, c.DriveInterface):
		return fmt.Errorf("config: drive_interface %q: use one of %s", c.DriveInterface, strings.Join(interfaces, ", "))
	}
	return nil
}

func (c *taskConfig) checkMachine() error {
	switch {
	case c.Accelerator != "" && c.Accelerator != accelTCG && c.Accelerator != accelKVM:
		return fmt.Errorf("config: accelerator %q: use %q or %q, or leave it out for the faster one that works", c.Accelerator, accelKVM, accelTCG)
	case !word.MatchString(c.MachineType):
		return fmt.Errorf("config: machine_type %q is not the name of a machine", c.MachineType)
	case !word.MatchString(c.NetworkDevice):
		return fmt.Errorf("config: network_device %q is not the name of a device", c.NetworkDevice)
	case c.CPUs < 0 || c.CPUs > maxCPUs:
		return fmt.Errorf("config: cpus is %d: it must be from 1 to %d", c.CPUs, maxCPUs)
	}
	return nil
}

func (c *taskConfig) checkPorts() error {
	for label, port := range c.PortMap {
		if port < 1 || port > 65535 {
			return fmt.Errorf("config: port_map: %s is %d: the guest's port must be from 1 to 65535", label, port)
		}
	}
	return nil
}
