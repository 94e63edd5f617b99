package docker

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/mount"

	"github.com/seraihq/serai/drivers"
)

// FuzzJob: whatever a job says, an operator who has allowed nothing asks the engine for a container without rights, namespaces, devices or files of the
// node.
func FuzzJob(f *testing.F) {
	for _, seed := range []string{`{"privileged":true}`, `{"cap_add":["all","NET_RAW"]}`, `{"security_opt":["seccomp=unconfined","apparmor=unconfined"]}`, `{"pid_mode":"host"}`,
		`{"pid_mode":"container:x","ipc_mode":"container:y","network_mode":"container:z"}`, `{"ipc_mode":"host","uts_mode":"host","userns_mode":"host","cgroupns":"host"}`,
		`{"network_mode":"host"}`, `{"volumes":["/etc:/x","../../x:/y","name:/z","local:/w:ro"]}`, `{"volumes":["/var/run/docker.sock:/s"],"volume_driver":"local"}`,
		`{"mount":[{"type":"bind","source":"/","target":"/x"}]}`, `{"mount":[{"type":"volume","source":"v","target":"/x","volume_options":{"driver_config":{"name":"local","options":{"o":"bind","device":"/"}}}}]}`,
		`{"mount":[{"type":"tmpfs","target":"/proc","tmpfs_options":{"size":1,"mode":511}}]}`, `{"devices":[{"host_path":"/dev/sda"}]}`, `{"runtime":"kata"}`,
		`{"sysctl":{"kernel.core_pattern":"|/x"}}`, `{"ulimit":{"nofile":"-1:-1"}}`, `{"pids_limit":-1,"oom_score_adj":-1000}`, `{"labels":{"serai.driver":"x","serai.network_of":"y"}}`,
		`{"logging":{"type":"syslog","config":[{"syslog-address":"unixgram:///dev/log"}]}}`, `{"storage_opt":{"size":"1G"}}`, `{"work_dir":"/proc/self/fd/7"}`, `{"cpuset_cpus":"0-7"}`,
		`{"group_add":["docker","0"]}`, `{"readonly_rootfs":false,"shm_size":-1}`, `{"load":"../x.tar"}`, `{"hostname":"a\nb","extra_hosts":["x:y"]}`} {
		f.Add([]byte(seed), "")
	}
	f.Add([]byte(`{}`), "4294967296")
	settings, err := decodeConfig(nil)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, user string) {
		raw := map[string]any{}
		if json.Unmarshal(text, &raw) != nil {
			return
		}
		if _, set := raw["image"]; !set {
			raw["image"] = "busybox"
		}
		p, err := newPlan(&drivers.TaskConfig{ID: "a/web/1", Name: "web", AllocID: "a", AllocDir: dir, User: user, Config: raw,
			Network: &drivers.NetworkIsolation{Mode: drivers.NetworkGroup, Path: "/run/netns/x", Labels: map[string]string{labelSandbox: "x"}}}, settings, facts{cpus: 2, apiVersion: "1.41"})
		if err != nil {
			return
		}
		h := p.host
		if h.Privileged || h.PidMode.IsHost() || h.IpcMode.IsHost() || h.UTSMode.IsHost() || h.UsernsMode.IsHost() || h.CgroupnsMode.IsHost() || h.NetworkMode.IsHost() ||
			len(h.Devices) > 0 || len(h.DeviceRequests) > 0 || len(h.DeviceCgroupRules) > 0 || h.Runtime != "" && h.Runtime != "runc" || len(h.Binds) > 0 || h.OomScoreAdj < 0 || len(h.VolumesFrom) > 0 {
			t.Errorf("%s: %+v", text, h)
		}
		for _, o := range h.SecurityOpt {
			if strings.Contains(o, "unconfined") {
				t.Errorf("%s: %q", text, h.SecurityOpt)
			}
		}
		for _, m := range h.Mounts {
			if m.Type != mount.TypeTmpfs && m.Source != dir && !strings.HasPrefix(m.Source, dir+"/") {
				t.Errorf("%s: mount %+v", text, m)
			}
		}
		for _, s := range p.staged {
			if text, _ := json.Marshal(s); strings.Contains(string(text), "..") {
				t.Errorf("staged %s", text)
			}
		}
	})
}
