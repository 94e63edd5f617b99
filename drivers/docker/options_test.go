package docker

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
)

// TestOptions runs one task with about everything that a job may ask for, and lets it tell what it sees.
func TestOptions(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, map[string]any{"extra_labels": []any{"job_*", "task_name"}, "allow_devices": []any{"/dev/fu*"}, "pids_limit": 100})
	j := newJob(t, `
id -u; id -G; hostname; pwd; ulimit -n; cat /proc/sys/net/core/somaxconn; df -k /dev/shm | tail -1 | awk '{print $2}'
echo $IMAGE_VARIABLE; echo $TASK_VARIABLE; grep -c 192.0.2.7 /etc/hosts; grep -c 192.0.2.53 /etc/resolv.conf; grep CapBnd /proc/self/status
touch /no 2>/dev/null || echo read-only; stat -f -c %T /scratch; ls /dev/fuse; cat /alloc/data/in /local/in /secrets/in; cat /data/in; cat /proc/1/comm; ls -d /sys/class/net/eth0 2>/dev/null || echo no network
`, map[string]any{
		"group_add": []any{"42"}, "hostname": "box", "work_dir": "/tmp", "ulimit": map[string]any{"nofile": "512:1024"},
		"sysctl": map[string]any{"net.core.somaxconn": "77"}, "shm_size": 8 << 20, "extra_hosts": []any{"friend:192.0.2.7"}, "dns_servers": []any{"192.0.2.53"},
		"cap_drop": []any{"all"}, "cap_add": []any{"CAP_CHOWN"}, "readonly_rootfs": true, "init": true, "labels": map[string]any{"mine": "yes", "serai.task_id": "forged"},
		"mount":   []any{map[string]any{"type": "tmpfs", "target": "/scratch", "tmpfs_options": map[string]any{"size": 1 << 20}}},
		"devices": []any{map[string]any{"host_path": "/dev/fuse"}}, "volumes": []any{"../alloc/data:/data:ro"}, "pids_limit": 50, "network_mode": "none",
		"cpu_hard_limit": true, "memory_hard_limit": 80, "security_opt": []any{"no-new-privileges"}, "healthchecks": map[string]any{"disable": true},
		"logging": map[string]any{"type": "json-file", "config": map[string]any{"max-size": "1m"}},
	})
	j.User, j.Resources.CPUPercent = "web", 0.5
	if _, err := os.Stat("/dev/fuse"); err != nil {
		delete(j.Config, "devices")
	}
	dir := j.TaskDir()
	for _, p := range []string{filepath.Join(dir.Alloc, "data"), dir.Local, dir.Secrets} {
		if err := os.WriteFile(filepath.Join(p, "in"), []byte(filepath.Base(p)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir.Secrets, 0o700); err != nil { // as the agent makes it
		t.Fatal(err)
	}
	got := run(t, d, j)
	want := []string{"1000", "1000 42", "box", "/tmp", "512", "77", "8192", "from-the-image", "from the job", "1", "1", "CapBnd:\t0000000000000001", "read-only", "tmpfs",
		"/dev/fuse", "data", "local", "secrets", "data", "docker-init", "no network"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	c, err := e.Client.ContainerInspect(t.Context(), "web-"+j.AllocID, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host, labels := c.Container.HostConfig, c.Container.Config.Labels
	if host.Memory != 80<<20 || host.MemoryReservation != 64<<20 || host.MemorySwap != 80<<20 || *host.PidsLimit != 50 || host.CPUQuota == 0 || host.LogConfig.Type != "json-file" {
		t.Errorf("limits: %+v", host)
	}
	if labels["mine"] != "yes" || labels[labelTask] != j.ID || labels[labelAlloc] != j.AllocID || labels["com.hashicorp.nomad.job_name"] != "job" ||
		labels["com.hashicorp.nomad.task_name"] != "web" || labels["com.hashicorp.nomad.namespace"] != "" {
		t.Errorf("labels: %v", labels)
	}
	if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), stageDir(j.ID)) {
		t.Error("a staged mount has stayed")
	}
}

func TestEntrypointAndTerminal(t *testing.T) {
	d := driverFor(t, engineFor(t), nil)
	j := newJob(t, "", map[string]any{"entrypoint": []any{"/bin/echo", "-n"}, "command": "hello", "args": []any{"world"}})
	if got := run(t, d, j); !slices.Equal(got, []string{"hello world"}) {
		t.Errorf("%q", got)
	}
	for _, kind := range []string{"local", "json-file"} {
		j = newJob(t, "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end; printf last", map[string]any{"logging": map[string]any{"type": kind}})
		if got := run(t, d, j); len(got) != 3 || got[0] != strings.Repeat("x", 100000) || got[1] != "end" || got[2] != "last" {
			t.Errorf("%s: %d lines, of %d bytes", kind, len(got), len(j.out.String()))
		}
	}
	j = newJob(t, "test -t 1 && echo terminal; head -c 100000 /dev/zero | tr '\\0' x; echo; echo end", map[string]any{"tty": true, "interactive": true})
	got := run(t, d, j)
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], "\r")
	}
	if len(got) != 3 || got[0] != "terminal" || got[1] != strings.Repeat("x", 100000) || got[2] != "end" {
		t.Errorf("%d lines, of %d bytes", len(got), len(j.out.String()))
	}
}

func TestOOM(t *testing.T) {
	d := driverFor(t, engineFor(t), nil)
	j := newJob(t, "head -c 200000000 /dev/zero | tail -c 190000000 >/dev/null; kill -9 $$", nil)
	j.Config["args"] = []any{"-c", "exec tail -c 150000000 /dev/zero"}
	start(t, d, j)
	if r := wait(t, d, j); !r.OOMKilled || r.Signal != 9 {
		t.Errorf("%+v", r)
	}
}

// TestEscapeRefused: what the operator has not allowed never reaches the engine.
func TestEscapeRefused(t *testing.T) {
	d := New(nil)
	if err := d.Configure(t.Context(), map[string]any{"container_fallback": false}); err != nil {
		t.Fatal(err)
	}
	mount := func(kv ...any) map[string]any {
		m := map[string]any{"target": "/x"}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return map[string]any{"mount": []any{m}}
	}
	for about, options := range map[string]map[string]any{
		"privileged": {"privileged": true}, "net_raw": {"cap_add": []any{"NET_RAW"}}, "allow_caps": {"cap_add": []any{"all"}},
		"pid_mode": {"pid_mode": "host"}, "ipc_mode": {"ipc_mode": "host"}, "uts_mode": {"uts_mode": "host"}, "userns_mode": {"userns_mode": "host"},
		"cgroupns": {"cgroupns": "host"}, "devices": {"devices": []any{map[string]any{"host_path": "/dev/sda"}}},
		"runtime": {"runtime": "kata"}, "security_opt": {"security_opt": []any{"seccomp=unconfined"}}, "apparmor": {"security_opt": []any{"apparmor=unconfined"}},
		"systempaths": {"security_opt": []any{"systempaths=unconfined"}}, "volumes": {"volumes": []any{"/etc:/x"}}, "leads out": {"volumes": []any{"../../other:/x"}},
		"not allowed": {"volumes": []any{"name:/x"}, "volume_driver": "local"}, "beneath": {"volumes": []any{".:/x"}}, "local/data": {"volumes": []any{"..:/x"}},
		"write \"source": {"volumes": []any{"/etc"}}, "absolute": {"volumes": []any{"local:/"}}, "option": {"volumes": []any{"local:/x:suid"}},
		"volumes { enabled": mount("type", "bind", "source", "/"), "leads out of": mount("type", "bind", "source", "../../x"),
		"not allowed on": mount("type", "volume", "source", "v", "volume_options", map[string]any{"driver_config": map[string]any{"options": map[string]any{"o": "bind", "device": "/"}}}),
		"type \"npipe\"": mount("type", "npipe", "source", "x"), "propagation": mount("source", "local", "bind_options", map[string]any{"propagation": "wide"}),
		"isolation": {"isolation": "hyperv"}, "cpuset_cpus": {"cpuset_cpus": "0-7"}, "port \"http\"": {"ports": []any{"http"}}, "image is": {"image": ""},
		"memory_hard_limit": {"memory_hard_limit": 10}, "extra_hosts": {"extra_hosts": []any{"nobody"}}, "dns server": {"dns_servers": []any{"here"}},
		"network_aliases": {"network_aliases": []any{"a"}}, "ulimit": {"ulimit": map[string]any{"nofile": "many"}}, "hyper_threads": {"hyper_threads": true},
		"image_pull_timeout": {"image_pull_timeout": "soon"},
	} {
		j := newJob(t, "true", options)
		j.Resources.Cpuset = "0"
		_, err := d.Start(t.Context(), j.TaskConfig)
		refused(t, err, about)
	}
	for _, user := range []string{"4294967296:0", "2147483648", "-1", " 0", "0:99999999999"} {
		j := newJob(t, "true", nil)
		j.User = user
		_, err := d.Start(t.Context(), j.TaskConfig)
		refused(t, err, "user")
	}
	j := newJob(t, "true", nil)
	j.Network = &drivers.NetworkIsolation{Mode: drivers.NetworkGroup, Path: "/run/netns/x"}
	_, err := d.Start(t.Context(), j.TaskConfig)
	refused(t, err, "network")
	j.Config["network_mode"] = "host" // the node's loopback, from a group that has a network of its own
	_, err = d.Start(t.Context(), j.TaskConfig)
	refused(t, err, "allowed_modes { network")
}

func TestConfigIsChecked(t *testing.T) {
	for about, raw := range map[string]map[string]any{
		"endpoint": {"endpoint": "/var/run/docker.sock"}, "tls": {"tls": map[string]any{"cert": "x"}}, "image_delay": {"gc": map[string]any{"image_delay": "soon"}},
		"allow_caps": {"allow_caps": []any{"net raw"}}, "oom_score_adj": {"oom_score_adj": -5}, "helper": {"auth": map[string]any{"helper": "../x"}},
		"windows": {"windows_allow_insecure_container_admin": true}, "container_exists_attempts": {"container_exists_attempts": 0}, "pattern": {"allow_devices": []any{"["}},
	} {
		if err := New(nil).Configure(t.Context(), raw); err == nil || !strings.Contains(err.Error(), about) {
			t.Errorf("%s: %v", about, err)
		}
	}
	c, err := decodeConfig(map[string]any{"gc": map[string]any{"image_delay": "1h", "dangling_containers": map[string]any{"dry_run": true}}})
	if err != nil || !c.GC.Image || !c.GC.Dangling.Enabled || !c.GC.Dangling.DryRun || c.GC.Dangling.Period == 0 || c.GC.ImageDelay.String() != "1h0m0s" {
		t.Errorf("%+v %v", c.GC, err)
	}
}

// TestAllowed: what the operator allows is there.
func TestAllowed(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, map[string]any{"allow_privileged": true, "allow_caps": []any{"all"}, "volumes": map[string]any{"enabled": true}})
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "in"), []byte("host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	j := newJob(t, "cat /h/in; cat /v/in; touch /h/out; touch /v/no 2>/dev/null || echo ro; grep CapEff /proc/self/status | tail -c 9; cat /proc/self/comm", map[string]any{
		"volumes": []any{host + ":/h"}, "mount": []any{map[string]any{"type": "bind", "source": host, "target": "/v", "readonly": true},
			map[string]any{"type": "volume", "source": "serai-test-volume", "target": "/named"}},
		"cap_add": []any{"net_raw"}, "pid_mode": "host", "security_opt": []any{"seccomp=unconfined"},
	})
	j.Config["network_mode"] = "host"
	t.Cleanup(func() {
		_, _ = e.Client.VolumeRemove(t.Context(), "serai-test-volume", client.VolumeRemoveOptions{Force: true})
	})
	if got := run(t, d, j); len(got) != 5 || got[0] != "host" || got[1] != "host" || got[2] != "ro" || got[3] != "a80425fb" || got[4] != "cat" {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(host, "out")); err != nil {
		t.Error(err)
	}
	j = newJob(t, "", map[string]any{"privileged": true})
	p, err := newPlan(j.TaskConfig, *d.settings.Load(), facts{cpus: 1, apiVersion: "1.41"})
	if err != nil || !p.host.Privileged || len(p.host.CapDrop) > 0 {
		t.Errorf("%+v %v", p, err)
	}
}
