package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// gatewayLimit bounds what is read of the file of gateways, in bytes.
const gatewayLimit = 4 << 10

// gateways are the addresses that the bridge should have.
func (s *settings) gateways() []netip.Prefix {
	out := []netip.Prefix{s.gateway}
	if s.gateway6.IsValid() {
		out = append(out, s.gateway6)
	}
	return out
}

// gatewayPath names the file that tells which addresses of the bridge were given
// to it here, beside that of its owner.
func (m *Manager) gatewayPath() (string, error) {
	inode, err := ownInode()
	return ownershipPath(m.set.RunDir, inode, m.set.Bridge) + ":gateways", err
}

// rememberGateways writes down what the bridge is about to be given, before it is
// given, and tells what it was given earlier and should not have any more.
func (m *Manager) rememberGateways(wanted []netip.Prefix) (earlier []netip.Prefix, err error) {
	path, err := m.gatewayPath()
	if err != nil {
		return nil, err
	}
	noted, err := readGateways(path)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(noted)
	for _, p := range wanted {
		if !slices.Contains(noted, p) {
			all = append(all, p)
		}
	}
	for _, p := range noted {
		if !slices.Contains(wanted, p) {
			earlier = append(earlier, p)
		}
	}
	if len(all) == len(noted) {
		return earlier, nil
	}
	return earlier, writeGateways(path, all)
}

// forgetGateways ends the memory of addresses that are gone from the bridge.
func (m *Manager) forgetGateways(gone []netip.Prefix) error {
	if len(gone) == 0 {
		return nil
	}
	path, err := m.gatewayPath()
	if err != nil {
		return err
	}
	return writeGateways(path, m.set.gateways())
}

func readGateways(path string) ([]netip.Prefix, error) {
	text, err := readLimited(path, gatewayLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("addresses of the bridge: %w", err)
	}
	var out []netip.Prefix
	for word := range strings.FieldsSeq(text) {
		if p, err := netip.ParsePrefix(word); err == nil {
			out = append(out, p)
		}
	}
	return out, nil
}

func writeGateways(path string, list []netip.Prefix) error {
	var text strings.Builder
	for _, p := range list {
		fmt.Fprintln(&text, p)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("addresses of the bridge: %w", err)
	}
	return nil
}
