package container

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
)

// Whatever reaches beyond a container is refused until the operator allows it, and what cannot be done is refused by name.
func TestEscapeRefusals(t *testing.T) {
	w := newWorld(t, nil)
	w.image("nouser", image.Config{User: "nobody-here"}, w.root)
	w.image("nothing", image.Config{}, w.root)
	mount := func(kind, source, target string) map[string]any {
		return map[string]any{"mount": []any{map[string]any{"type": kind, "source": source, "target": target}}}
	}
	for want, configs := range map[string][]map[string]any{
		"allow_privileged":     {{"privileged": true}, {"security_opt": []any{"seccomp=unconfined"}}},
		"volumes { enabled":    {{"volumes": []any{"/etc:/host"}}, mount("bind", "/", "/host")},
		"must lie in local":    {{"volumes": []any{"../../../etc:/host"}}, {"volumes": []any{"private:/host"}}, {"volumes": []any{"local/../../other/local:/x"}}, mount("bind", "secrets/../../..", "/x"), {"load": "../../../etc"}},
		"a volume of the node": {mount("volume", "data", "/data")},
		"cpuset_cpus":          {{"cpuset_cpus": "4000"}, {"cpuset_cpus": "0-4000"}, {"cpuset_cpus": "0;1"}, {"cpuset_cpus": "\n"}},
		"source:/target":       {{"volumes": []any{"local"}}, {"volumes": []any{"local:relative"}}},
		"is not supported":     {{"volumes": []any{"local:/x:z"}}, {"security_opt": []any{"seccomp=/x.json"}}},
		"allowed_modes { pid":  {{"pid_mode": "host"}},
		"allowed_modes { ipc":  {{"ipc_mode": "host"}},
		"allowed_modes { uts":  {{"uts_mode": "host"}},
		"knows only":           {{"cgroupns": "host"}},
		"this driver knows":    {{"pid_mode": "container:x"}, {"network_mode": "bridge"}, {"network_mode": "container:x"}},
		"userns_mode is":       {{"userns_mode": "keep-id"}},
		"allow_caps":           {{"cap_add": []any{"sys_admin"}}, {"cap_add": []any{"net_raw"}}, {"cap_add": []any{"all"}}},
		"allow_devices":        {{"devices": []any{map[string]any{"host_path": "/dev/kmsg"}}}},
		"pids_limit":           {{"pids_limit": 1 << 40}},
		"/proc":                {{"work_dir": "/proc/self/fd/7"}, {"work_dir": "/tmp/../proc/self/fd/7"}},
		"sysctl":               {{"sysctl": map[string]any{"kernel.panic": "1"}}, {"sysctl": map[string]any{"net.ipv4.ip_forward": "1"}}, {"sysctl": map[string]any{"kernel.core_pattern": "|/x"}}},
		"ulimit":               {{"ulimit": map[string]any{"nofile": "2:1"}}, {"ulimit": map[string]any{"files": "1"}}, {"ulimit": map[string]any{"nofile": "-5"}}},
		"oom_score_adj":        {{"oom_score_adj": -1}},
		"hostname":             {{"hostname": "a b"}, {"hostname": "-"}, {"hostname": "x\n"}},
		"extra_hosts":          {{"extra_hosts": []any{"a"}}, {"extra_hosts": []any{"a:b"}}, {"extra_hosts": []any{"a b:192.0.2.1"}}},
		"not a port":           {{"ports": []any{"http"}}},
		"passwd":               {{"image": "nouser"}},
		"names no program":     {{"image": "nothing", "command": ""}},
		"is not sent":          {{"auth": map[string]any{"username": "u", "password": "p", "server_address": "registry.example"}}},
		"healthchecks":         {{"healthchecks": map[string]any{"disable": false}}},
		"unknown":              {{"runtime": "runsc"}, {"storage_opt": map[string]any{}}, {"no_such": 1}},
		"image busybox2":       {{"image": "busybox2"}},
		"not /":                {mount("tmpfs", "", "/.."), mount("bind", "local", "/.."), {"volumes": []any{"local:/"}}, {"volumes": []any{"local:/x/.."}}},
		"name an image":        {{"image": "a b"}},
		"io_limit":             {{"io_limit": []any{map[string]any{"device": "/dev/null", "read_bytes": 1}}}, {"io_limit": []any{map[string]any{"device": "/dev/null"}}}},
		"mount":                {mount("tmpfs", "", "relative"), mount("odd", "", "/x")},
	} {
		for _, c := range configs {
			if _, set := c["command"]; !set {
				c["command"] = "true"
			}
			w.run(c).refused(want)
		}
	}
}

func TestEscapeHostModes(t *testing.T) {
	w := newWorld(t, nil)
	r := w.run(map[string]any{"command": "true", "network_mode": "host"})
	r.task.Network = &drivers.NetworkIsolation{Path: "/proc/self/ns/net"}
	r.refused("allowed_modes { network")
	r = w.run(map[string]any{"command": "true", "ports": []any{"http"}})
	r.task.Resources.Ports = []drivers.Port{{Label: "http", Value: 20000, To: 80}}
	r.refused("mode = \"bridge\"")
}

func TestStartErrors(t *testing.T) {
	w := newWorld(t, nil)
	w.image("plain", image.Config{}, w.root, layer(t, map[string]string{"plain/file": "x", "link": "-> /nowhere", "out": "-> ../../../../../../bin/bash"}))
	for command, code := range map[string]int{"none": 127, "/none": 127, "/link": 127, "/out": 127, "/plain": 126, "/etc/passwd": 126} {
		if command == "/etc/passwd" {
			_ = os.Chmod(filepath.Join(w.root, "etc/passwd"), 0o644)
		}
		err := w.run(map[string]any{"image": "plain", "command": command}).try()
		se, ok := err.(*drivers.StartError)
		if !ok || se.ExitCode != code {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestDecodeConfig(t *testing.T) {
	for _, bad := range []map[string]any{{"image_dir": "relative"}, {"pids_limit": 0}, {"userns_mode": "x"}, {"allow_caps": []any{"flying"}},
		{"allow_devices": []any{"dev/x"}}, {"allow_devices": []any{"/dev/["}}, {"gc": map[string]any{"max_disk_percent": 0}}, {"gc": map[string]any{"interval": "1ms"}}, {"nope": 1}} {
		if _, err := decodeConfig(bad); err == nil {
			t.Errorf("%v passed", bad)
		}
	}
}
