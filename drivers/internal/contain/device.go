package contain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer/specconv"

	"github.com/seraihq/serai/drivers"
)

// deviceNodes are the devices that every task has (null, zero, full, random, urandom, tty, terminals) and those given to this one; a privileged
// task has all of the host.
func (s *Spec) deviceNodes() ([]*devices.Device, []*devices.Rule, error) {
	nodes := slices.Clone(specconv.AllowedDevices)
	if !slices.Contains(s.Capabilities, "CAP_NET_ADMIN") {
		nodes = slices.DeleteFunc(nodes, isTunnel)
	}
	if s.Privileged {
		return append(nodes, hostDevices()...), []*devices.Rule{{Type: devices.WildcardDevice, Major: devices.Wildcard, Minor: devices.Wildcard,
			Permissions: "rwm", Allow: true}}, nil
	}
	for _, g := range s.Devices {
		node, err := deviceNode(g)
		if err != nil {
			return nil, nil, fmt.Errorf("device %s: %w", g.HostPath, err)
		}
		nodes = append(nodes, node)
	}
	rules := make([]*devices.Rule, len(nodes))
	for i, n := range nodes {
		rules[i] = &n.Rule
	}
	return nodes, rules, nil
}

// isTunnel is whether a device makes network interfaces. Without the right to change the network it serves only to take over those that the node's
// operator has made for others.
func isTunnel(d *devices.Device) bool {
	return d.Type == devices.CharDevice && d.Major == 10 && d.Minor == 200
}

func deviceNode(g drivers.Device) (*devices.Device, error) {
	var st unix.Stat_t
	if err := unix.Stat(g.HostPath, &st); err != nil {
		return nil, err
	}
	kind := devices.CharDevice
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
	case unix.S_IFBLK:
		kind = devices.BlockDevice
	default:
		return nil, errors.New("it is not a device")
	}
	inside, permissions := g.TaskPath, g.Permissions
	if inside == "" {
		inside = g.HostPath
	}
	if permissions == "" {
		permissions = "rwm"
	}
	return &devices.Device{Path: inside, FileMode: os.FileMode(st.Mode & 0o777), Uid: st.Uid, Gid: st.Gid,
		Rule: devices.Rule{Type: kind, Major: int64(unix.Major(uint64(st.Rdev))), Minor: int64(unix.Minor(uint64(st.Rdev))),
			Permissions: devices.Permissions(permissions), Allow: true}}, nil
}

// hostDevices are the devices of the host, but for terminals and what comes and goes in directories of its own.
func hostDevices() []*devices.Device {
	var out []*devices.Device
	_ = filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // it has just gone
		case d.IsDir() && slices.Contains([]string{"/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue"}, path):
			return fs.SkipDir
		case path == "/dev/console" || path == "/dev/ptmx" || d.Type()&fs.ModeDevice == 0:
			return nil
		}
		if node, err := deviceNode(drivers.Device{HostPath: path}); err == nil {
			out = append(out, node)
		}
		return nil
	})
	return out
}
