package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes what the figures were measured on.
func machine() string {
	var u unix.Utsname
	unix.Uname(&u)
	model := "unknown CPU"
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			model = strings.TrimSpace(v)
			break
		}
	}
	var s unix.Sysinfo_t
	unix.Sysinfo(&s)
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d × %s, %d GiB, Linux %s, %s; load at the start %s", runtime.NumCPU(), model,
		(uint64(s.Totalram)*uint64(s.Unit))>>30, unix.ByteSliceToString(u.Release[:]), runtime.Version(), strings.Join(strings.Fields(string(load))[:1], ""))
}

// memory gives the resident and the proportional memory of a process in MiB.
func memory(pid int) (rss, pss float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		switch {
		case strings.HasPrefix(line, "Rss:"):
			fmt.Sscanf(line, "Rss: %f", &kb)
			rss = kb / 1024
		case strings.HasPrefix(line, "Pss:"):
			fmt.Sscanf(line, "Pss: %f", &kb)
			pss = kb / 1024
		}
	}
	return rss, pss
}
