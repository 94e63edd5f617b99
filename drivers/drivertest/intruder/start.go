package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// startAttacks look at what the intruder was born with.
var startAttacks = []attack{
	{group: "start", name: "open files that came along", try: func(*facts) string { return started.files }},
	{group: "start", name: "a working directory outside of the root", try: func(f *facts) string {
		if strings.HasPrefix(started.dir, "(unreachable)") || f.Control {
			return started.dir
		}
		return ""
	}},
	{group: "start", name: "the environment of whoever started it", try: func(*facts) string {
		for _, v := range os.Environ() {
			if strings.HasPrefix(v, "PLANTED_") || strings.HasPrefix(v, "_LIBCONTAINER") || strings.Contains(v, secretText) {
				return v
			}
		}
		return ""
	}},
	{group: "rights", name: "capabilities, new privileges, no filter", try: rights},
}

// started is what look found.
var started struct{ files, dir string }

func look() (s struct{ files, dir string }) {
	for fd := 3; fd < 256; fd++ {
		target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil || strings.HasPrefix(target, "anon_inode:[event") || target == "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size" || strings.HasPrefix(target, "/sys/fs/cgroup") ||
			strings.HasPrefix(target, "/proc/") && strings.HasSuffix(target, "/cgroup") || strings.HasPrefix(target, "/proc/") && strings.HasSuffix(target, "/mountinfo") {
			continue // the runtime's own
		}
		s.files += fmt.Sprintf("%d -> %s ", fd, target)
	}
	var b [4096]byte
	if n, err := unix.Getcwd(b[:]); err == nil && n > 0 {
		s.dir = string(b[:n-1])
	}
	return s
}

// rights are wrong when the task has more than its list, could get more, or is not filtered.
func rights(f *facts) string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	most := map[string]uint64{"CapInh": 0, "CapAmb": 0, "CapEff": f.Capabilities, "CapPrm": f.Capabilities, "CapBnd": f.Capabilities}
	if unix.Geteuid() != 0 {
		most["CapEff"], most["CapPrm"] = 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		if limit, is := most[name]; is {
			var mask uint64
			if _, err := fmt.Sscanf(value, "%x", &mask); err != nil || mask&^limit != 0 {
				return line
			}
		}
		if name == "NoNewPrivs" && value != "1" || name == "Seccomp" && value != "2" {
			return line
		}
	}
	return ""
}
