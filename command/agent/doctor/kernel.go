package doctor

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func text(n int64) string { return strconv.FormatInt(n, 10) }

// kernel looks at what drivers and networks of tasks need of it.
func (x *examination) kernel() {
	if x.Config != nil && x.Host.UID != 0 {
		x.report.warn("kernel.root", "run the agent of a client as root", "this user is not root: only raw_exec works, and without limits")
	}
	x.cgroups()
	x.namespaces()
	x.filesystems()
	x.filters()
	x.networking()
	x.virtual()
}

// cgroups finds the version of control groups and which controllers there are.
func (x *examination) cgroups() {
	var have []string
	version := 0
	if text, ok := x.Host.read("/sys/fs/cgroup/cgroup.controllers"); ok {
		version, have = 2, strings.Fields(text)
	} else if text, ok := x.Host.read("/proc/cgroups"); ok {
		version = 1
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) == 4 && !strings.HasPrefix(line, "#") && f[3] == "1" && x.Host.exists("/sys/fs/cgroup/"+f[0]) {
				have = append(have, f[0])
			}
		}
	}
	if version == 0 || len(have) == 0 {
		x.report.fail("kernel.cgroups", "mount control groups on /sys/fs/cgroup; boot with systemd.unified_cgroup_hierarchy=1", "there are no control groups: tasks cannot be limited, and not be found again")
		return
	}
	want := []string{"cpu", "cpuset", "memory", "pids"}
	if version == 1 {
		want = append(want, "freezer")
	}
	var missing []string
	for _, c := range want {
		if !slices.Contains(have, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		x.report.warn("kernel.cgroups", "boot without cgroup_disable for them; in a container, have the host delegate them", "control groups (version %d) have no %s: those limits of tasks have no effect", version, strings.Join(missing, ", "))
		return
	}
	x.report.ok("kernel.cgroups", "control groups of version %d have all that tasks need", version)
}

func (x *examination) namespaces() {
	var missing []string
	for _, n := range []string{"ipc", "mnt", "net", "pid", "uts"} {
		if !x.Host.exists("/proc/self/ns/" + n) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		x.report.fail("kernel.namespaces", "use a kernel with namespaces", "the kernel has no namespaces for %s: exec, java and container do not work", strings.Join(missing, ", "))
		return
	}
	x.report.ok("kernel.namespaces", "the kernel has the namespaces that tasks need")
	if n, ok := x.Host.number("/proc/sys/user/max_user_namespaces"); ok && n == 0 || !x.Host.exists("/proc/self/ns/user") {
		x.report.warn("kernel.userns", "sysctl -w user.max_user_namespaces=10000", "there are no user namespaces: containers with userns_mode = \"private\" do not start")
	}
}

func (x *examination) filesystems() {
	text, _ := x.Host.read("/proc/filesystems")
	if !slices.Contains(strings.Fields(text), "overlay") {
		x.report.warn("kernel.overlayfs", "modprobe overlay, and name it in /etc/modules-load.d", "the kernel has no overlayfs now: containers do not start unless it can be loaded")
		return
	}
	x.report.ok("kernel.overlayfs", "the kernel has overlayfs")
}

func (x *examination) filters() {
	if actions, ok := x.Host.read("/proc/sys/kernel/seccomp/actions_avail"); !ok || !strings.Contains(actions, "errno") {
		x.report.fail("kernel.seccomp", "use a kernel with CONFIG_SECCOMP_FILTER", "the kernel has no system call filters: exec, java and container refuse to start tasks")
	} else {
		x.report.ok("kernel.seccomp", "the kernel has system call filters")
	}
	if v := x.Host.Landlock(); v == 0 {
		x.report.warn("kernel.landlock", "boot with lsm=landlock,… (Linux 5.13 or newer)", "the kernel has no Landlock: the confinement of artifacts and machines has one wall less")
	} else {
		x.report.ok("kernel.landlock", "the kernel has Landlock, version %d", v)
	}
}

func (x *examination) networking() {
	if err := x.Host.Socket(unix.NETLINK_NETFILTER); err != nil {
		x.report.warn("kernel.nftables", "modprobe nf_tables", "nftables cannot be asked (%v): groups with network { mode = \"bridge\" } do not start", err)
	} else {
		x.report.ok("kernel.nftables", "nftables answers")
	}
	if n, ok := x.Host.number("/proc/sys/net/ipv4/ip_forward"); ok && n == 0 {
		x.report.ok("kernel.forwarding", "forwarding is off; the first group with a bridge switches it on")
	}
	if n, ok := x.Host.number("/proc/sys/net/bridge/bridge-nf-call-iptables"); ok && n == 1 {
		x.report.warn("kernel.bridge_netfilter", "look whether the FORWARD chain of iptables lets the bridge of pods through, or sysctl -w net.bridge.bridge-nf-call-iptables=0", "traffic between pods on one bridge passes iptables' rules of the host")
	}
}

func (x *examination) virtual() {
	switch {
	case x.Host.exists("/dev/kvm"):
		x.report.ok("kernel.kvm", "/dev/kvm is there; the qemu driver tries whether it works")
	default:
		x.report.ok("kernel.kvm", "there is no /dev/kvm; machines of the qemu driver are emulated")
	}
}

// clock looks whether something keeps the clock of this machine in step.
func (x *examination) clock() {
	known, ok := x.Host.InStep()
	switch {
	case !known:
	case !ok:
		x.report.warn("clock.synchronised", "run chrony or systemd-timesyncd; in a container or a machine see to that of its host", "the kernel says that nothing keeps this clock in step: certificates and tokens depend on it")
	default:
		x.report.ok("clock.synchronised", "something keeps this clock in step")
	}
}
