package fingerprint

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

func memory(cfg *Config, n *api.Node) error {
	total := uint64(cfg.MemoryTotalMB) << 20
	if total == 0 {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			return err
		}
		total = uint64(info.Totalram) * uint64(info.Unit)
	}
	n.Attributes["memory.totalbytes"] = strconv.FormatUint(total, 10)
	n.NodeResources.Memory.MemoryMB = int64(total >> 20)
	return nil
}
