package doctor

const (
	fewFiles     = 16384
	fewWatches   = 65536
	fewInstances = 512
	fewPIDs      = 32768
)

// limits looks at what the kernel lets the agent and its tasks have.
func (x *examination) limits() {
	r := x.report
	if n, err := x.Host.Files(); err == nil {
		if n < fewFiles {
			r.warn("limits.nofile", "raise it: LimitNOFILE=1048576 in the unit of systemd, or ulimit -Hn", "a process may have %d open files; an agent of many tasks, and a server of many clients, needs %d and more", n, fewFiles)
		} else {
			r.ok("limits.nofile", "a process may have many open files")
		}
	}
	for _, l := range []struct {
		check, path string
		least       int64
		what, key   string
	}{
		{"limits.inotify_instances", "/proc/sys/fs/inotify/max_user_instances", fewInstances, "inotify instances", "fs.inotify.max_user_instances"},
		{"limits.inotify_watches", "/proc/sys/fs/inotify/max_user_watches", fewWatches, "inotify watches", "fs.inotify.max_user_watches"},
		{"limits.pids", "/proc/sys/kernel/pid_max", fewPIDs, "processes", "kernel.pid_max"},
		{"limits.threads", "/proc/sys/kernel/threads-max", fewPIDs, "threads", "kernel.threads-max"},
	} {
		n, ok := x.Host.number(l.path)
		switch {
		case !ok:
		case n < l.least:
			r.warn(l.check, sysctl(l.key, l.least), "the kernel allows %d %s; tasks that follow files or fork share them", n, l.what)
		default:
			r.ok(l.check, "the kernel allows enough %s", l.what)
		}
	}
}

func sysctl(key string, value int64) string {
	return "sysctl -w " + key + "=" + text(value) + ", and the same in a file of /etc/sysctl.d"
}
