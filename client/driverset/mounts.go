package driverset

import (
	"os"
	"strconv"
)

// sameMounts says whether a process sees the mounts that this one makes; also
// where that cannot be known.
func sameMounts(pid int) bool {
	own, err := os.Readlink("/proc/self/ns/mnt")
	theirs, other := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	return err != nil || other != nil || own == theirs
}
