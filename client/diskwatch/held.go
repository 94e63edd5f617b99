package diskwatch

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/internal/pattern"
)

// blockSize is the unit of st_blocks.
const blockSize = 512

// allocID finds an allocation's ID in the path of a control group: drivers name
// the group of a task after its ID, which begins with that of its allocation.
var allocID = pattern.New(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// inode tells one file from others on a file system.
type inode struct {
	alloc string
	ino   uint64
}

// held adds up, for each of these allocations, the space of the files that its
// processes hold open and have deleted: no directory shows them. The files
// lie on the file system of dir.
func held(dir string, of map[string]bool) map[string]int64 {
	out := map[string]int64{}
	var st unix.Stat_t
	procs, err := os.ReadDir("/proc")
	if err != nil || unix.Stat(dir, &st) != nil {
		return out
	}
	dev := st.Dev
	seen := map[inode]bool{}
	for _, p := range procs {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		id := allocOf(p.Name())
		if !of[id] {
			continue
		}
		fds, err := os.Open("/proc/" + p.Name() + "/fd")
		if err != nil {
			continue // it has ended
		}
		names, _ := fds.Readdirnames(-1)
		for _, n := range names {
			if unix.Fstatat(int(fds.Fd()), n, &st, 0) != nil || st.Nlink > 0 || st.Dev != dev || st.Mode&unix.S_IFMT != unix.S_IFREG {
				continue
			}
			if at := (inode{id, st.Ino}); !seen[at] {
				seen[at] = true
				out[id] += st.Blocks * blockSize
			}
		}
		fds.Close()
	}
	return out
}

// allocOf tells whose a process is; empty when no allocation's.
func allocOf(pid string) string {
	text, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return ""
	}
	return string(allocID.Find(text))
}
