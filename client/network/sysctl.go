package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sysctls are the kernel's switches of the network, below /proc/sys/net, that
// the calling thread's namespace has.
const sysctls = "/proc/sys/net/"

// setSysctl writes a switch unless it stands already.
func setSysctl(name, value string) error {
	path := filepath.Join(sysctls, name)
	if now, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(now)) == value {
		return nil
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s to %s: %w", strings.ReplaceAll("net/"+name, "/", "."), value, err)
	}
	return nil
}

// trySysctl is setSysctl for a switch that this kernel may lack.
func trySysctl(name, value string) error {
	if err := setSysctl(name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func sysctl(name string) string {
	b, err := os.ReadFile(filepath.Join(sysctls, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
