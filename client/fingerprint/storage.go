package fingerprint

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// storage measures the file system that allocations' directories are on. What
// is free now is what the node offers.
func storage(cfg *Config, n *api.Node) error {
	var st unix.Statfs_t
	if err := unix.Statfs(cfg.AllocDir, &st); err != nil {
		return err
	}
	block := uint64(st.Bsize)
	total, free := st.Blocks*block, st.Bavail*block
	if cfg.DiskTotalMB > 0 {
		total = uint64(cfg.DiskTotalMB) << 20
	}
	if cfg.DiskFreeMB > 0 {
		free = uint64(cfg.DiskFreeMB) << 20
	}
	n.Attributes["unique.storage.bytestotal"] = strconv.FormatUint(total, 10)
	n.Attributes["unique.storage.bytesfree"] = strconv.FormatUint(free, 10)
	if v := volumeOf(cfg.AllocDir); v != "" {
		n.Attributes["unique.storage.volume"] = v
	}
	n.NodeResources.Disk.DiskMB = int64(free >> 20)
	return nil
}

// volumeOf names the device that a directory is on; empty when unknown.
func volumeOf(dir string) string {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return ""
	}
	best, volume := -1, ""
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		_, tail, ok := strings.Cut(line, " - ")
		source := strings.Fields(tail)
		if len(fields) < 5 || !ok || len(source) < 2 {
			continue
		}
		point := fields[4]
		within := point == "/" || dir == point || strings.HasPrefix(dir, point+"/")
		if within && len(point) > best {
			best, volume = len(point), source[1]
		}
	}
	return volume
}
