package config

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/internal/hclx"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestFull(t *testing.T) {
	c := Default()
	if err := c.Load("testdata/full.hcl"); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	if c.Ports.HTTP != 5646 || c.Ports.RPC != 4647 || c.LogLevel != "WARN" || c.Region != "europe" {
		t.Errorf("top level: %+v", c)
	}
	if c.Server.JobGCThreshold != 30*time.Minute || c.Server.JobMaxSourceSize != 2<<20 || c.Server.EvalGCThreshold != time.Hour ||
		c.Server.JobChildrenMax != 50 || c.Server.JobChildrenTTL != 48*time.Hour {
		t.Errorf("server: %+v", c.Server)
	}
	if p := c.Server.DefaultSchedulerConfig.PreemptionConfig; !p.BatchSchedulerEnabled || !p.SystemSchedulerEnabled {
		t.Errorf("defaults must survive beside what is set: %+v", p)
	}
	if diff := cmp.Diff(map[string]string{"driver.raw_exec.enable": "1", "user.checked_drivers": "true"}, c.Client.Options); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"rack": "r1", "ssd.size": "500"}, c.Client.Meta); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{
		"enabled": true, "denied_envvars": []any{"AWS_*"}, "limits": map[string]any{"cpu": 1.5},
	}, c.Plugins["raw_exec"].Config); diff != "" {
		t.Error(diff)
	}
	if c.Client.HostVolumes["data"] != (HostVolume{Path: "/srv/data", ReadOnly: true}) {
		t.Errorf("host volumes: %+v", c.Client.HostVolumes)
	}
	if c.Client.StateDir != "/var/lib/serai/client" {
		t.Errorf("state dir: %s", c.Client.StateDir)
	}
	var unused []string
	for _, a := range c.Unused {
		unused = append(unused, a.String())
	}
	golden(t, "full.unused", strings.Join(unused, "\n")+"\n")
}

// TestBad: every problem is told at once, with its place and a suggestion.
func TestBad(t *testing.T) {
	c := Default()
	err := c.Load("testdata/bad.hcl")
	if err == nil {
		t.Fatal("accepted")
	}
	text := err.Error() + "\n"
	if err := c.Finish(); err != nil {
		text += "-- finish\n" + err.Error() + "\n"
	} else {
		t.Error("Finish accepted")
	}
	golden(t, "bad.problems", text)
}

func TestJSON(t *testing.T) {
	src := `{
  "data_dir": "/d",
  "server": {"enabled": true},
  "client": [{"enabled": true, "options": [{"a.b": "c"}], "host_volume": [{"v": [{"path": "/v"}]}]}],
  "plugin": [{"raw_exec": [{"config": [{"enabled": true}]}]}, {"exec": {"config": {"x": 1}}}]
}`
	c := Default()
	if err := c.Parse("noext", []byte(src)); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	if c.Client.HostVolumes["v"].Path != "/v" || c.Client.Options["a.b"] != "c" {
		t.Errorf("client: %+v", c.Client)
	}
	if c.Plugins["raw_exec"].Config["enabled"] != true || c.Plugins["exec"].Config["x"] != int64(1) {
		t.Errorf("plugins: %+v", c.Plugins)
	}
	err := Default().Parse("x.json", []byte("{\n \"servr\": {}}"))
	if ps, _ := hclx.AsProblems(err); len(ps) != 1 || ps[0].Line != 2 || ps[0].Suggest != "server" {
		t.Errorf("got %v", err)
	}
}

func TestFolderMergesInLexicalOrder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("10.hcl", "region = \"one\"\nclient {\n meta {\n a = 1\n b = 1\n }\n}\n")
	write("20.json", `{"region": "two", "client": {"meta": {"b": 2}}}`)
	write("README.md", "not = configuration =")
	write(".hidden.hcl", "not = configuration =")
	c := Dev()
	if err := c.Load(dir); err != nil {
		t.Fatal(err)
	}
	if c.Region != "two" || c.Client.Meta["a"] != "1" || c.Client.Meta["b"] != "2" {
		t.Errorf("%s %v", c.Region, c.Client.Meta)
	}
	if len(c.Files) != 2 {
		t.Errorf("files: %v", c.Files)
	}
	if err := Default().Load(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

func TestDev(t *testing.T) {
	c := Dev()
	if err := c.Parse("x", []byte("client { enabled = false }\nplugin \"raw_exec\" {\n config { no_cgroups = true }\n}\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	if !c.Client.Enabled || !c.Server.Enabled {
		t.Error("a file cannot switch off the parts of a dev agent")
	}
	if c.Plugins["raw_exec"].Config["enabled"] != true {
		t.Errorf("plugin: %v", c.Plugins)
	}
	if len(c.Warnings()) != 0 {
		t.Error(c.Warnings())
	}
}

// TestSecretsStayHidden: no encoder for people prints a secret.
func TestSecretsStayHidden(t *testing.T) {
	c := Default()
	const secret = "c2VudGluZWwtc2VjcmV0"
	if err := c.Parse("s.hcl", []byte("server { encrypt = \""+secret+"\" }\nacl { replication_token = \""+secret+"\" }\nvault { token = \""+secret+"\" }\n")); err != nil {
		t.Fatal(err)
	}
	js, _ := json.Marshal(c)
	for name, text := range map[string]string{
		"json": string(js), "fmt": fmt.Sprintf("%v %+v", c, *c), "unused": fmt.Sprint(c.Unused), "finish": fmt.Sprint(c.Finish()),
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the secret", name)
		}
	}
}

// TestEveryKeyOnce: a key either has effect or is accepted without, never both.
func TestEveryKeyOnce(t *testing.T) {
	var walk func(t *testing.T, typ reflect.Type, path string)
	walk = func(t *testing.T, typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag, ok := tagOf(f)
			if !ok {
				continue
			}
			if known, _ := acceptedKey(path, tag.name); known {
				t.Errorf("%s is both", join(path, tag.name))
			}
			if f.Type.Kind() == reflect.Struct {
				walk(t, f.Type, join(path, tag.name))
			}
		}
	}
	walk(t, reflect.TypeFor[Agent](), "")
	for block, names := range accepted {
		if len(strings.Fields(names)) == 0 {
			t.Errorf("block %q is empty", block)
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"1M": 1 << 20, "100GB": 100 << 30, "64 KiB": 64 << 10, "7": 7, "1.5k": 1536, "x": -1, "-1": -1, "1e30": -1, "9999999T": -1, "": -1} {
		got, err := ParseSize(in)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("ParseSize(%q) = %d, want %d", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"full.hcl", "bad.hcl"} {
		src, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte(`{"client": [{"options": [{"a": 1}]}], "plugin": {"x": {"config": {}}}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		c := Dev()
		_ = c.Parse("fuzz", src)
		_ = c.Finish()
	})
}

// TestEffect: a field is used by the agent, or its tag says that it has no
// effect or is refused. So `config validate` cannot promise what nothing does.
func TestEffect(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"../*.go", "../listen/*.go", "../rest/*.go", "../monitor/*.go", "../snapshot/*.go", "finish.go", "device.go", "network.go", "template.go", "artifact.go", "tls.go", "membership.go"} {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			if !strings.HasSuffix(f, "_test.go") {
				text, _ := os.ReadFile(f)
				source.Write(text)
			}
		}
	}
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag, ok := tagOf(f)
			if !ok || tag.effect == "refused" {
				continue
			}
			key := join(path, tag.name)
			used := regexp.MustCompile(`\.` + f.Name + `\b`).MatchString(source.String())
			if tag.effect == "none" {
				continue
			}
			ft := f.Type
			if ft.Kind() == reflect.Map {
				ft = ft.Elem()
			}
			switch {
			case ft == reflect.TypeFor[SchedulerConfig](): // handed over whole by API
			case ft.Kind() == reflect.Struct:
				walk(ft, key)
			case !used:
				t.Errorf("%s is not used: tag it effect:\"none\"", key)
			}
		}
	}
	walk(reflect.TypeFor[Agent](), "")
}

func TestChrootEnvReachesTheDriver(t *testing.T) {
	c := Dev()
	if err := c.Parse("x.hcl", []byte("client {\n chroot_env {\n \"/bin\" = \"/bin\"\n }\n}\nenable_syslog = true\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	for _, driver := range []string{"exec", "java"} {
		if diff := cmp.Diff(map[string]any{"chroot_env": map[string]any{"/bin": "/bin"}}, c.Plugins[driver].Config); diff != "" {
			t.Error(driver, diff)
		}
	}
	if len(c.Unused) != 1 || c.Unused[0].Key != "enable_syslog" {
		t.Errorf("unused: %v", c.Unused)
	}
}

func TestDevices(t *testing.T) {
	c := Default()
	err := c.Parse("a.hcl", []byte(`
client {
  enabled = true
  reservable_cores = "0-1"
  device "nvidia/gpu/a100" {
    ids   = ["GPU-0", "GPU-1"]
    paths = ["/dev/nvidiactl"]
    env   = "NVIDIA_VISIBLE_DEVICES"
    attributes     = { memory = "80 GiB" }
    instance_paths = { "GPU-0" = ["/dev/nvidia0"] }
  }
}`))
	if err != nil {
		t.Fatal(err)
	}
	list := c.Client.DeviceConfigs()
	if len(list) != 1 || list[0].Name != "nvidia/gpu/a100" || list[0].Attributes["memory"] != "80 GiB" || list[0].InstancePaths["GPU-0"][0] != "/dev/nvidia0" {
		t.Errorf("%+v", list)
	}
	for text, want := range map[string]string{
		`device "gpu" { ids = ["a"] }`: "VENDOR/TYPE/MODEL",
		`device "a/b/c" { ids = ["a"] }` + "\n" + `device "a/b/c" { paths = ["/etc/x"] }`: "beneath /dev",
		`reservable_cores = "3-1"`: "client.reservable_cores",
		`reserved { cores = "x" }`: "client.reserved.cores",
	} {
		c := Dev()
		err := c.Parse("a.hcl", []byte("client {\n"+text+"\n}\n"))
		if err == nil {
			err = c.Finish()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.hcl:") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestProblemsShowNoSecrets(t *testing.T) {
	c := Dev()
	if err := c.Parse("s.hcl", []byte("server {\n  encrypt = \"c2VjcmV0c2VjcmV0\"\n}\n")); err != nil {
		t.Fatal(err)
	}
	problems, ok := hclx.AsProblems(c.Finish())
	if !ok || len(problems) == 0 {
		t.Fatal("a key that is too short is taken")
	}
	for _, p := range problems {
		if strings.Contains(p.Source+p.Message+p.Detail, "c2VjcmV0") || p.Line != 2 {
			t.Errorf("%+v", p)
		}
	}
}

func TestTLS(t *testing.T) {
	const files = "\nca_file = \"ca\"\ncert_file = \"c\"\nkey_file = \"k\"\n"
	for text, want := range map[string]string{
		"http = true\nrpc = true" + files:                       "",
		"http = true":                                           "tls: http and rpc need ca_file",
		"verify_server_hostname = false":                        "verify_server_hostname",
		"verify_server_hostname = true":                         "",
		"rpc_upgrade_mode = true":                               "rpc_upgrade_mode",
		`tls_min_version = "tls11"`:                             "tls_min_version",
		`tls_min_version = "tls13"`:                             "",
		`tls_cipher_suites = "TLS_RSA_WITH_AES_128_GCM_SHA256"`: "tls_cipher_suites",
		`tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"`: "",
	} {
		c := Dev()
		err := c.Parse("a.hcl", []byte("tls {\n"+text+"\n}\n"))
		if err == nil {
			err = c.Finish()
		}
		if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.hcl:")) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	// With it, agents are reached wherever they are.
	c := Default()
	if err := c.Parse("b.hcl", []byte("bind_addr = \"10.0.0.1\"\ndata_dir = \"/tmp/x\"\nserver {\n enabled = true\n bootstrap_expect = 1\n}\nclient {\n servers = [\"10.0.0.2\"]\n}\ntls {\n rpc = true"+files+"}\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil || c.Addresses.RPC != "10.0.0.1" || c.Client.Servers[0] != "10.0.0.2:4647" {
		t.Errorf("%v, %q, %v", err, c.Addresses.RPC, c.Client.Servers)
	}
}

// TestServersKeepToLoopback: nothing that looks like loopback leads elsewhere.
func TestServersKeepToLoopback(t *testing.T) {
	for server, want := range map[string]string{
		"127.0.0.1:4647": "", "localhost": "", "[::1]:1": "", "127.9.9.9": "", "::ffff:127.0.0.1": "",
		"10.0.0.1:4647": "not encrypted", "::": "not encrypted", "localhost.example.com:1": "not encrypted", "localhost:1:2": "not encrypted",
		"127.0.0.1:4647@example.com": "not host:port", "unix:///tmp/socket": "not host:port", "localhost:0": "not host:port", "127.0.0.1:http": "not host:port",
	} {
		c := Default()
		if err := c.Parse("c.hcl", []byte("data_dir = \"/tmp/x\"\nclient {\n enabled = true\n servers = [\""+server+"\"]\n}\n")); err != nil {
			t.Fatal(err)
		}
		err := c.Finish()
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", server, err, want)
		}
	}
}
