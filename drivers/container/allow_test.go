package container

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/internal/cgroup"
)

// What the operator allows, works.
func TestAllowed(t *testing.T) {
	w := newWorld(t, map[string]any{"allow_privileged": true})
	r := w.run(map[string]any{"privileged": true, "command": "sh", "args": []any{"-c",
		"mount -t tmpfs x /tmp && echo mounts; ls -l /dev/kmsg /dev/fuse 2>/dev/null | wc -l; echo $(cat /proc/self/status | grep -E 'Seccomp:|NoNew'); touch /sys/fs/cgroup/x 2>/dev/null; head -c 0 /dev/kmsg && echo device"}})
	r.expect("mounts\n", "NoNewPrivs: 0 Seccomp: 0\n", "device\n")

	w = newWorld(t, map[string]any{"allow_caps": []any{"all"}, "allow_devices": []any{"/dev/km*"},
		"allowed_modes": map[string]any{"pid": []any{"host"}, "ipc": []any{"host"}, "uts": []any{"host"}}})
	r = w.run(map[string]any{"pid_mode": "host", "ipc_mode": "host", "uts_mode": "host", "command": "sh", "args": []any{"-c", "ls -d /proc/[0-9]* 2>/dev/null | wc -l; hostname; ls /dev/shm >/dev/null && echo shm"}})
	name, _ := os.Hostname()
	r.expect(name+"\n", "shm\n")
	procs := 0
	if _, err := fmt.Sscan(r.out.String(), &procs); err != nil || procs < 5 {
		t.Errorf("%d processes: %v", procs, err)
	}
	r = w.run(map[string]any{"cap_drop": []any{"all"}, "cap_add": []any{"net_raw", "chown"}, "command": "grep", "args": []any{"CapEff", "/proc/self/status"}})
	r.expect("CapEff:\t0000000000002001\n")
	r = w.run(map[string]any{"command": "sh", "args": []any{"-c", "echo x >/dev/mine; ls -l /dev/mine"},
		"devices": []any{map[string]any{"host_path": "/dev/kmsg", "container_path": "/dev/mine", "cgroup_permissions": "r"}}})
	r.expect("crw", "/dev/mine", "not permitted")
}

// A limit of a device's traffic is set where the node can, and is an error where it cannot.
func TestIOLimit(t *testing.T) {
	w := newWorld(t, nil)
	names, _ := filepath.Glob("/sys/block/*")
	for _, n := range names {
		dev := "/dev/" + filepath.Base(n)
		if _, err := os.Stat(dev); err != nil {
			continue
		}
		r := w.run(map[string]any{"command": "sh", "args": []any{"-c", "cat /sys/fs/cgroup/blkio/blkio.throttle.write_bps_device /sys/fs/cgroup/io.max 2>/dev/null; echo end"},
			"io_limit": []any{map[string]any{"device": dev, "write_bytes": 1234567}}})
		if l, err := cgroup.Find(); err == nil && contain.HasIO(l) {
			r.expect("1234567")
		} else {
			r.refused("no io controller")
		}
		return
	}
	t.Skip("not here: there is no block device")
}

// A task joins its group's network, and is found there by its name.
func TestGroupNetwork(t *testing.T) {
	w := newWorld(t, nil)
	ns := exec.Command("unshare", "-n", "sleep", "60")
	if err := ns.Start(); err != nil {
		t.Skip("not here: " + err.Error())
	}
	t.Cleanup(func() { _ = ns.Process.Kill(); _ = ns.Wait() })
	path := fmt.Sprintf("/proc/%d/ns/net", ns.Process.Pid)
	own, _ := os.Readlink("/proc/self/ns/net")
	deadline := time.Now().Add(10 * time.Second)
	var id string
	for id, _ = os.Readlink(path); id == "" || id == own; id, _ = os.Readlink(path) {
		if time.Now().After(deadline) {
			t.Fatal("no network namespace")
		}
		time.Sleep(time.Millisecond)
	}
	for _, users := range []string{"host", "private"} {
		r := w.run(map[string]any{"userns_mode": users, "command": "sh", "args": []any{"-c", "readlink /proc/self/ns/net; cat /etc/hosts; hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start"},
			"sysctl": map[string]any{"net.ipv4.ip_unprivileged_port_start": "80"}})
		r.task.Network = &drivers.NetworkIsolation{Path: path, Hostname: "pod", Address: "192.0.2.9"}
		if users == "private" {
			delete(r.task.Config, "sysctl") // the group's network is not of its users
		}
		r.expect(id+"\n", "192.0.2.9 pod\n", "\npod\n")
	}
}

func FuzzUsers(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n", "root:x:0:\nlogs:x:1002:web,other\n", "web:logs")
	f.Add("a:b:c\n::::::\n", ":::", "1:1")
	f.Fuzz(func(t *testing.T, passwd, groups, spec string) {
		c, err := lookup(parseAccounts(passwd), parseGroups(groups), spec, nil)
		if err == nil && (c.UID > 1<<31-1 || c.GID > 1<<31-1) {
			t.Errorf("%q: %+v", spec, c)
		}
		if err == nil && strings.ContainsAny(spec, " \n\t") {
			t.Errorf("%q is %+v", spec, c)
		}
	})
}
