package container

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// hostileJobs are seeds: what authors of jobs have tried elsewhere, in each option that takes a path, a name or a right.
var hostileJobs = []string{
	`{"privileged":true}`, `{"cap_add":["all"]}`, `{"cap_add":["CAP_SYS_ADMIN","chown"],"cap_drop":["none"]}`, `{"security_opt":["seccomp=unconfined"]}`,
	`{"security_opt":["seccomp:unconfined","systempaths=unconfined"]}`, `{"pid_mode":"host"}`, `{"ipc_mode":"host","uts_mode":"host"}`, `{"userns_mode":"host","cgroupns":"host"}`,
	`{"userns_mode":"private","network_mode":"none"}`, `{"network_mode":"host"}`, `{"network_mode":"container:other"}`, `{"devices":[{"host_path":"/dev/sda","cgroup_permissions":"rwm"}]}`,
	`{"devices":[{"host_path":"/dev/../dev/kmsg","container_path":"/dev/null"}]}`, `{"volumes":["/:/h"]}`, `{"volumes":["local/../../../..:/h"]}`, `{"volumes":["local:/proc"]}`,
	`{"volumes":["alloc:/x:rw,shared"]}`, `{"mount":[{"type":"bind","source":"/etc","target":"/x"}]}`, `{"mount":[{"type":"bind","source":"secrets","target":"/x","bind_options":{"propagation":"rshared"}}]}`,
	`{"mount":[{"type":"tmpfs","target":"/proc","tmpfs_options":{"size":-1,"mode":511}}]}`, `{"mounts":[{"type":"volume","source":"../x","target":"/x","volume_options":{"driver_config":{"name":"local","options":{"o":"bind","device":"/"}}}}]}`,
	`{"sysctl":{"kernel.core_pattern":"|/x","net.ipv4.ip_forward":"1","kernel.shmmax":"1","fs.mqueue.msg_max":"9"}}`, `{"ulimit":{"nofile":"-1:99999999999999999999","core":"unlimited"}}`,
	`{"oom_score_adj":-1000,"pids_limit":-1}`, `{"pids_limit":99999999999}`, `{"work_dir":"/proc/self/fd/7"}`, `{"work_dir":"\u0000"}`, `{"hostname":"a\nb"}`, `{"extra_hosts":["a\nb:1.2.3.4"]}`,
	`{"dns_servers":["1.2.3.4\nnameserver 6.6.6.6"]}`, `{"load":"../../etc"}`, `{"labels":{"serai.task":"forged"}}`, `{"group_add":["0","root","4294967296"]}`, `{"cpuset_cpus":"0-99999"}`,
	`{"io_limit":[{"device":"/etc/passwd","read_bytes":1}]}`, `{"shm_size":-5}`, `{"entrypoint":[null,1,{}]}`, `{"args":["\u0000"]}`, `{"image":"../../x"}`, `{"tty":true,"init":true,"interactive":true}`,
}

// FuzzJob: whatever a job says, an operator who has allowed nothing gets a container without rights beyond the list, in namespaces of its own, with
// nothing of the node's in it.
func FuzzJob(f *testing.F) {
	for _, seed := range hostileJobs {
		f.Add([]byte(seed), "")
	}
	f.Add([]byte(`{}`), "0:0")
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
		opts, err := decodeOptions(raw)
		if err != nil {
			return
		}
		task := &drivers.TaskConfig{ID: "a/web/1", Name: "web", AllocID: "a", AllocDir: dir, User: user, Config: raw}
		p, err := specify(task, opts, settings)
		if err != nil {
			return
		}
		s, n := p.spec, p.spec.Namespaces
		if s.Privileged || s.Unfiltered || n.HostPID || n.HostIPC || n.HostUTS || n.Network != "" || len(s.Devices) > 0 || s.OOMScoreAdj < 0 || s.Limits.PIDs < 1 || s.Limits.PIDs > contain.DefaultPIDs {
			t.Errorf("%s: %+v", text, s)
		}
		for _, c := range s.Capabilities {
			if !slices.Contains(contain.DefaultCapabilities, c) {
				t.Errorf("%s: capability %s", text, c)
			}
		}
		for _, m := range slices.Concat(s.Mounts, s.Volumes) {
			if !m.Tmpfs && (m.Beneath != dir || !filepath.IsLocal(strings.TrimPrefix(m.Host, "/"))) && m.Host != dir && !strings.HasPrefix(m.Host, dir+"/") || m.Propagation != "" && m.Propagation != "private" {
				t.Errorf("%s: mount %+v", text, m)
			}
		}
	})
}
