package fingerprint

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

const cgroupRoot = "/sys/fs/cgroup"

func cgroup(cfg *Config, n *api.Node) error {
	n.CgroupParent = cfg.CgroupParent
	var st unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &st); err != nil {
		return err
	}
	if st.Type == unix.CGROUP2_SUPER_MAGIC {
		n.Attributes["os.cgroups.version"] = "2"
		return nil
	}
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cpu")); err != nil {
		return errors.New("no control groups are mounted at " + cgroupRoot)
	}
	n.Attributes["os.cgroups.version"] = "1"
	return nil
}
