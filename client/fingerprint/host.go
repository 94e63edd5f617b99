package fingerprint

import (
	"bufio"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

func host(_ *Config, n *api.Node) error {
	a := n.Attributes
	var u unix.Utsname
	err := unix.Uname(&u)
	if err == nil {
		a["kernel.name"] = strings.ToLower(unix.ByteSliceToString(u.Sysname[:]))
		a["kernel.version"] = unix.ByteSliceToString(u.Release[:])
	}
	if name, err := os.Hostname(); err == nil {
		a["unique.hostname"] = name
	}
	release := osRelease()
	if release["ID"] != "" {
		a["os.name"] = release["ID"]
	}
	if release["VERSION_ID"] != "" {
		a["os.version"] = release["VERSION_ID"]
	}
	return err
}

// osRelease reads os-release(5); empty where there is none.
func osRelease() map[string]string {
	out := map[string]string{}
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if key, value, ok := strings.Cut(lines.Text(), "="); ok {
				out[key] = strings.Trim(value, `"'`)
			}
		}
		f.Close()
		return out
	}
	return out
}
