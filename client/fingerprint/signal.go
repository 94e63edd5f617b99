package fingerprint

import (
	"sort"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// signal lists the signals that tasks can be sent.
func signal(_ *Config, n *api.Node) error {
	var names []string
	for i := syscall.Signal(1); i < 32; i++ {
		if name := unix.SignalName(i); name != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	n.Attributes["os.signals"] = strings.Join(names, ",")
	return nil
}
