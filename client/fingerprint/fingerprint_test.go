package fingerprint

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

func TestAllOnThisMachine(t *testing.T) {
	n := &api.Node{}
	began := time.Now()
	var log bytes.Buffer
	Run(All(), &Config{AllocDir: t.TempDir(), NetworkInterface: "lo", ReservedCPU: 10}, n, slog.New(slog.NewTextHandler(&log, nil)))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v: a node must be ready at once", took)
	}
	for _, key := range []string{
		"cpu.arch", "cpu.frequency", "cpu.numcores", "cpu.reservablecores", "cpu.totalcompute", "cpu.usablecompute",
		"kernel.arch", "kernel.name", "kernel.version", "memory.totalbytes", "nomad.version", "os.signals", "serai.version",
		"unique.hostname", "unique.network.ip-address", "unique.storage.bytestotal", "unique.storage.volume",
	} {
		if n.Attributes[key] == "" {
			t.Errorf("%s is not found; log: %s", key, log.String())
		}
	}
	r := n.NodeResources
	if r.Cpu.CpuShares <= 0 || r.Cpu.TotalCpuCores == 0 || r.Memory.MemoryMB <= 0 || r.Disk.DiskMB <= 0 {
		t.Errorf("resources %+v", r)
	}
	total, _ := strconv.Atoi(n.Attributes["cpu.totalcompute"])
	usable, _ := strconv.Atoi(n.Attributes["cpu.usablecompute"])
	if total-usable != 10 {
		t.Errorf("total %d, usable %d with 10 reserved", total, usable)
	}
	if len(r.Networks) != 1 || r.Networks[0].IP != "127.0.0.1" || r.Networks[0].Device != "lo" {
		t.Errorf("networks %+v", r.Networks)
	}
	if !strings.Contains(n.Attributes["os.signals"], "SIGTERM") {
		t.Error(n.Attributes["os.signals"])
	}
}

func TestFailuresDegrade(t *testing.T) {
	var log bytes.Buffer
	n := &api.Node{}
	Run([]Fingerprinter{
		{"broken", func(*Config, *api.Node) error { return errors.New("no such thing") }},
		{"panics", func(*Config, *api.Node) error { panic("odd machine") }},
		{"works", func(_ *Config, n *api.Node) error { n.Attributes["a"] = "b"; return nil }},
	}, &Config{}, n, slog.New(slog.NewTextHandler(&log, nil)))
	if n.Attributes["a"] != "b" {
		t.Error("the one that works did not run")
	}
	for _, want := range []string{"broken", "no such thing", "panics", "odd machine"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not tell of %q: %s", want, log.String())
		}
	}
}

func TestConfigWins(t *testing.T) {
	n := &api.Node{}
	cfg := &Config{
		AllocDir: "/", NetworkInterface: "lo", CPUTotalCompute: 1234, MemoryTotalMB: 77, DiskTotalMB: 10, DiskFreeMB: 5,
		HostNetworks: map[string]HostNetwork{"local": {CIDR: "127.0.0.0/8", ReservedPorts: "22"}, "none": {CIDR: "198.51.100.0/30"}},
	}
	Run(All(), cfg, n, slog.New(slog.DiscardHandler))
	r := n.NodeResources
	if r.Cpu.CpuShares != 1234 || r.Memory.MemoryMB != 77 || r.Disk.DiskMB != 5 {
		t.Errorf("resources %+v", r)
	}
	if h := n.HostNetworks["local"]; h == nil || h.ReservedPorts != "22" || n.HostNetworks["none"] != nil {
		t.Errorf("host networks %+v", n.HostNetworks)
	}
}
