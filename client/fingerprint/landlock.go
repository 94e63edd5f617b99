package fingerprint

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// landlock asks the kernel for the version of its Landlock interface.
func landlock(_ *Config, n *api.Node) error {
	const askVersion = 1
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, askVersion)
	switch {
	case errno == 0:
		n.Attributes["kernel.landlock"] = fmt.Sprintf("v%d", v)
		return nil
	case errors.Is(errno, unix.ENOSYS), errors.Is(errno, unix.EOPNOTSUPP):
		return nil
	}
	return errno
}
