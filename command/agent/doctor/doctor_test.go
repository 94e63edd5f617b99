package doctor

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

var update = flag.Bool("update", false, "rewrite golden files")

// plant is an installation with planted defects.
type plant struct {
	t    *testing.T
	dir  string
	host Host
	conf string
	subj Subject
}

// kernelFiles are those of a machine that has all.
var kernelFiles = map[string]string{
	"proc/sys/fs/inotify/max_user_instances": "8192", "proc/sys/fs/inotify/max_user_watches": "524288",
	"proc/sys/kernel/pid_max": "4194304", "proc/sys/kernel/threads-max": "192000", "proc/sys/user/max_user_namespaces": "96000",
	"proc/filesystems": "nodev\tproc\nnodev\toverlay\n\text4\n", "proc/sys/kernel/seccomp/actions_avail": "kill_process trap errno allow",
	"proc/sys/net/ipv4/ip_forward": "1", "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids",
	"proc/self/ns/ipc": "", "proc/self/ns/mnt": "", "proc/self/ns/net": "", "proc/self/ns/pid": "", "proc/self/ns/uts": "", "proc/self/ns/user": "", "dev/kvm": "",
}

func newPlant(t *testing.T) *plant {
	p := &plant{t: t, dir: t.TempDir()}
	for name, text := range kernelFiles {
		p.write("root/"+name, text, 0o644)
	}
	p.host = Host{
		Root: p.dir + "/root", UID: 0, Now: time.Now,
		Space: func(string) (Space, error) {
			return Space{Bytes: 100 << 30, FreeBytes: 50 << 30, Inodes: 1000, FreeInodes: 900}, nil
		},
		Files:    func() (uint64, error) { return 1 << 20, nil },
		Landlock: func() int { return 7 }, Socket: func(int) error { return nil },
		InStep: func() (bool, bool) { return true, true }, Listen: func(string) error { return nil },
	}
	if err := os.Mkdir(p.dir+"/data", 0o700); err != nil {
		t.Fatal(err)
	}
	p.conf = "data_dir = \"" + p.dir + "/data\"\nserver {\n enabled = true\n bootstrap_expect = 1\n snapshot {\n  interval = \"1h\"\n  path = \"" + p.dir + "/snapshots\"\n }\n}\nclient {\n enabled = true\n}\nacl {\n enabled = true\n}\n"
	p.write("snapshots/serai-0a1b2c3d-20260501T010203Z-000000000077.snap", "x", 0o600)
	return p
}

func (p *plant) write(name, text string, mode os.FileMode) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		p.t.Fatal(err)
	}
}

// certificate puts an agent's certificate in place, by an authority of its own.
func (p *plant) certificate(r pki.Request) {
	p.t.Helper()
	ca, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		p.t.Fatal(err)
	}
	r.Public = crypto.PublicKey(key.Public())
	cert, err := ca.Issue(r)
	if err != nil {
		p.t.Fatal(err)
	}
	pem, err := pki.KeyPEM(key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("tls/ca.pem", string(pki.CertificatesPEM(ca.Cert)), 0o644)
	p.write("tls/cert.pem", string(pki.CertificatesPEM(cert)), 0o644)
	p.write("tls/agent-key.pem", string(pem), 0o600)
	p.conf += fmt.Sprintf("tls {\n http = true\n rpc = true\n ca_file = %q\n cert_file = %q\n key_file = %q\n}\n", p.dir+"/tls/ca.pem", p.dir+"/tls/cert.pem", p.dir+"/tls/agent-key.pem")
}

// cluster makes an agent that answers as the routes say, with the clock off by
// some time.
func (p *plant) cluster(off time.Duration, routes map[string]any) {
	p.t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		answer, ok := routes[r.URL.Path]
		if !ok {
			http.Error(w, "no such thing", http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	p.t.Cleanup(s.Close)
	c, err := api.NewClient(api.ClientConfig{Address: s.URL})
	if err != nil {
		p.t.Fatal(err)
	}
	p.subj.Agent, p.subj.Address = c, s.URL
}

var plants = map[string]func(p *plant){
	"in_order": func(*plant) {},
	"agent_does_not_run": func(p *plant) {
		p.subj.Refused = errors.New("connection refused")
		p.subj.Address = "http://127.0.0.1:4646"
	},
	"agent_does_not_trust": func(p *plant) {
		p.subj.Refused = api.Errorf(api.ErrDenied, "Permission denied")
		p.subj.Address = "http://127.0.0.1:4646"
		p.host.Listen = func(string) error { return syscall.EADDRINUSE } // by the agent: no finding
	},
	"no_access_control": func(p *plant) { p.conf = strings.Replace(p.conf, "acl {\n enabled = true\n}\n", "", 1) },
	"unknown_keys":      func(p *plant) { p.conf += "clinet {\n}\nlog_levle = \"INFO\"\n" },
	"modes": func(p *plant) {
		_ = os.Chmod(p.dir+"/data", 0o777)
		p.write("data/server/keyring.json", "{}", 0o640)
		p.write("data/alloc/a/own.key", "of a task", 0o644)
		p.write("data/tls/both.pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", 0o644)
		p.write("data/tls/ca.pem", "-----BEGIN CERTIFICATE-----\n", 0o644)
		p.write("cli.pem", "-----BEGIN EC PRIVATE KEY-----\n", 0o604)
		p.conf += "telemetry {\n otlp_endpoint = \"https://otel.example.com\"\n otlp_headers = { token = \"SENTINEL\" }\n}\n"
		p.write("agent.hcl", "", 0o644)
	},
	"open_to_the_world": func(p *plant) {
		p.conf = strings.Replace(p.conf, "acl {\n enabled = true\n}\n", "", 1) + "bind_addr = \"0.0.0.0\"\nenable_debug = true\n"
	},
	"certificate_expired": func(p *plant) {
		p.certificate(pki.Request{Role: tlsx.RoleServer, Region: "global", From: time.Now().Add(-100 * time.Hour), Life: 99 * time.Hour})
	},
	"certificate_expires": func(p *plant) {
		p.certificate(pki.Request{Role: tlsx.RoleServer, Region: "global", From: time.Now().Add(-90 * 24 * time.Hour), Life: 100*24*time.Hour + 12*time.Hour})
	},
	"certificate_of_tomorrow": func(p *plant) {
		p.certificate(pki.Request{Role: tlsx.RoleServer, Region: "global", From: time.Now().Add(5 * time.Hour), Life: time.Hour})
	},
	"certificate_of_a_client": func(p *plant) {
		p.certificate(pki.Request{Role: tlsx.RoleClient, Region: "elsewhere", Life: 1000 * time.Hour})
		p.write("tls/agent-key.pem", "", 0o644)
	},
	"certificate_of_a_stranger": func(p *plant) {
		p.certificate(pki.Request{Role: tlsx.RoleServer, Region: "global", Life: 1000 * time.Hour})
		other, err := pki.NewAuthority(pki.AuthorityOptions{})
		if err != nil {
			p.t.Fatal(err)
		}
		p.write("tls/ca.pem", string(pki.CertificatesPEM(other.Cert)), 0o644)
	},
	"disk": func(p *plant) {
		p.host.Space = func(string) (Space, error) {
			return Space{Bytes: 100 << 30, FreeBytes: 1 << 30, Inodes: 1000, FreeInodes: 3}, nil
		}
		p.host.Fsync = func(string) (time.Duration, error) { return 400 * time.Millisecond, nil }
	},
	"disk_full": func(p *plant) {
		p.host.Space = func(string) (Space, error) { return Space{Bytes: 100 << 30, FreeBytes: 100 << 20}, nil }
		p.host.Fsync = func(string) (time.Duration, error) { return 0, syscall.ENOSPC }
	},
	"backups_stopped": func(p *plant) {
		p.host.Now = func() time.Time { return time.Now().Add(100 * time.Hour) }
	},
	"backups_absent": func(p *plant) {
		p.conf = strings.Replace(p.conf, "interval = \"1h\"", "interval = \"0s\"", 1)
		p.conf = strings.Replace(p.conf, "path = \""+p.dir+"/snapshots\"", "", 1)
	},
	"ports_taken": func(p *plant) {
		p.host.Listen = func(a string) error {
			if strings.HasSuffix(a, ":4647") {
				return fmt.Errorf("listen: %w", syscall.EADDRINUSE)
			}
			return nil
		}
	},
	"port_of_a_stranger": func(p *plant) {
		p.subj.Refused, p.subj.Address = errors.New("remote error: tls: certificate required"), "https://127.0.0.1:4646"
		p.host.Listen = func(string) error { return syscall.EADDRINUSE }
	},
	"poor_kernel": func(p *plant) {
		for _, name := range []string{"sys/fs/cgroup/cgroup.controllers", "proc/self/ns/net", "proc/self/ns/user", "proc/sys/kernel/seccomp/actions_avail", "dev/kvm"} {
			_ = os.Remove(filepath.Join(p.dir, "root", name))
		}
		p.write("root/proc/filesystems", "nodev\tproc\n", 0o644)
		p.write("root/proc/sys/fs/inotify/max_user_instances", "128", 0o644)
		p.write("root/proc/sys/kernel/pid_max", "4096", 0o644)
		p.write("root/proc/sys/net/bridge/bridge-nf-call-iptables", "1", 0o644)
		p.host.Files = func() (uint64, error) { return 1024, nil }
		p.host.Landlock = func() int { return 0 }
		p.host.Socket = func(int) error { return syscall.EPROTONOSUPPORT }
		p.host.InStep = func() (bool, bool) { return true, false }
		p.host.UID = 1000
	},
	"no_controllers": func(p *plant) { p.write("root/sys/fs/cgroup/cgroup.controllers", "hugetlb", 0o644) },
	"cluster_in_order": func(p *plant) {
		p.cluster(0, map[string]any{
			"/v1/agent/health": api.AgentHealthResponse{Server: &api.HealthState{Ok: true}}, "/v1/status/leader": "127.0.0.1:1",
			"/v1/agent/members": api.ServerMembers{Members: []*api.AgentMember{{Name: "one.global", Status: "alive", Tags: map[string]string{"build": "1"}}}},
			"/v1/nodes":         []*api.NodeListStub{{Name: "n1", Status: "ready", Attributes: map[string]string{"serai.version": "1"}}},
		})
	},
	"cluster_in_trouble": func(p *plant) {
		p.conf = ""
		p.cluster(-time.Hour, map[string]any{
			"/v1/agent/health": api.AgentHealthResponse{Server: &api.HealthState{Message: "No cluster leader"}}, "/v1/status/leader": "",
			"/v1/agent/members": api.ServerMembers{Members: []*api.AgentMember{
				{Name: "one.global", Status: "alive", Tags: map[string]string{"build": "1"}}, {Name: "two.global", Status: "failed", Tags: map[string]string{"build": "2"}},
				{Name: "three.global", Status: "alive", Addr: "127.0.0.1", Tags: map[string]string{"build": "2", "port": "1"}}, {Name: "old.global", Status: "left"},
			}},
			"/v1/nodes": []*api.NodeListStub{{Name: "n1", Status: "down"}, {Name: "n2", Status: "ready"}},
		})
	},
}

var (
	dates  = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC`)
	minute = regexp.MustCompile(`\b(\d+h)?\d+m\d+s\b`)
	user   = regexp.MustCompile(`belongs to user \d+`)
	issuer = regexp.MustCompile(`is by "[^"]+"`)
	port   = regexp.MustCompile(`http://127\.0\.0\.1:\d{5}`)
)

// TestPlants looks at installations with planted defects. The reports are golden
// files: what is in order is counted only.
func TestPlants(t *testing.T) {
	for name, defect := range plants {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t)
			defect(p)
			p.subj.Host = p.host
			if p.conf != "" {
				mode := os.FileMode(0o600)
				if info, err := os.Stat(p.dir + "/agent.hcl"); err == nil {
					mode = info.Mode().Perm()
				}
				p.write("agent.hcl", p.conf, mode)
				p.subj.Config = config.Default()
				p.subj.Problems = p.subj.Config.Load(p.dir + "/agent.hcl")
				if err := p.subj.Config.Finish(); p.subj.Problems == nil {
					p.subj.Problems = err
				}
			}
			got := show(Examine(context.Background(), p.subj))
			got = strings.ReplaceAll(got, p.dir, "DIR")
			got = port.ReplaceAllString(minute.ReplaceAllString(dates.ReplaceAllString(got, "DATE"), "TIME"), "http://AGENT")
			got = issuer.ReplaceAllString(user.ReplaceAllString(got, "belongs to user N"), "is by \"AUTHORITY\"")
			if strings.Contains(got, "SENTINEL") {
				t.Error("the report shows a secret")
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// show writes a report as the golden files have it.
func show(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "exit %d\n", r.Code())
	fine := 0
	for _, f := range r.Findings {
		if f.Level == OK {
			fine++
			continue
		}
		fmt.Fprintf(&b, "%s %s: %s\n  mend: %s\n", f.Level, f.Check, f.What, f.Mend)
	}
	fmt.Fprintf(&b, "in order: %d\n", fine)
	return b.String()
}

// TestEveryFindingIsMended: what is not in order says what to do, and nothing
// else does.
func TestEveryFindingIsMended(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != len(plants) {
		t.Fatalf("%d golden files of %d plants, %v", len(files), len(plants), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "mend: \n") {
			t.Errorf("%s has a finding without a way to mend it", f)
		}
	}
}

// TestThisMachine runs the checks on the machine of the test.
func TestThisMachine(t *testing.T) {
	h := ThisHost()
	h.Fsync = MeasureFsync
	c := config.Default()
	c.DataDir, c.Server.Enabled, c.Client.Enabled = t.TempDir(), true, true
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadDir(c.DataDir)
	r := Examine(context.Background(), Subject{Config: c, Host: h})
	if len(r.Findings) < 15 {
		t.Errorf("only %d findings: %+v", len(r.Findings), r.Findings)
	}
	for _, f := range r.Findings {
		if f.Check == "disk.fsync" && strings.Contains(f.What, "cannot be written") {
			t.Error(f.What)
		}
	}
	if after, _ := os.ReadDir(c.DataDir); len(after) != len(before) {
		t.Errorf("left behind: %v", after)
	}
}
