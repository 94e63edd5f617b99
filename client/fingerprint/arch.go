package fingerprint

import (
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

func arch(_ *Config, n *api.Node) error {
	n.Attributes["cpu.arch"] = runtime.GOARCH
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	n.Attributes["kernel.arch"] = unix.ByteSliceToString(u.Machine[:])
	return nil
}
