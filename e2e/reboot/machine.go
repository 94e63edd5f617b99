package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/seraihq/serai/drivers/qemu/qemutest"
	"github.com/seraihq/serai/e2e/rig"
)

//go:embed init.sh
var initScript string

//go:embed state.sh
var stateScript string

// modules are what the machine's kernel loads, in order.
var modules = strings.Fields(`overlay virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover virtio_net
	llc stp bridge veth libcrc32c nfnetlink nf_defrag_ipv4 nf_defrag_ipv6 nf_conntrack nf_conntrack_netlink nf_nat nf_tables nft_ct nft_chain_nat nft_nat nft_masq
	nf_reject_ipv4 nf_reject_ipv6 nft_reject nft_reject_inet nft_reject_ipv4 nft_reject_ipv6 nft_meta_bridge`)

// agentConfig is the machine's. The server is at the gateway, which QEMU makes this machine's loopback.
const agentConfig = `
name      = "guest"
data_dir  = "/var/lib/serai"
log_level = "INFO"
client {
  enabled = true
  servers = ["10.0.2.2:%d"]
}
tls {
  rpc       = true
  ca_file   = "/etc/serai.d/ca.pem"
  cert_file = "/etc/serai.d/client.pem"
  key_file  = "/etc/serai.d/client-key.pem"
}
plugin "raw_exec" {
  config { enabled = true }
}
`

// diskBytes is the size of the disk that outlives the power.
const diskBytes = 8 << 30

// machine is the node.
type machine struct {
	kernel, initrd, disk string
	state                string // URL of the page that tells what is there
	forward              int    // the port of this machine that leads to that page
	verbose              bool

	mu      sync.Mutex
	console bytes.Buffer // since the power came
	cmd     *exec.Cmd
}

func newMachine(dir, binary string, server *rig.Agent) (*machine, error) {
	a, err := qemutest.System(initScript, modules)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"/sbin", "/usr/bin", "/usr/sbin", "/lib", "/lib64", "/var/lib/serai", "/etc/serai.d", "/www/cgi-bin"} {
		a.Path(d)
	}
	a.Etc()
	if err := a.Program("bin/serai", binary); err != nil {
		return nil, err
	}
	for name, from := range map[string]string{"ca": "nomad-agent-ca.pem", "client": "global-client-nomad.pem", "client-key": "global-client-nomad-key.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			return nil, err
		}
		a.File("etc/serai.d/"+name+".pem", text, 0o600)
	}
	a.File("etc/serai.hcl", fmt.Appendf(nil, agentConfig, server.Ports.RPC), 0o600)
	a.File("www/cgi-bin/state", []byte(stateScript), 0o755)
	from, err := qemutest.Dir()
	if err != nil {
		return nil, err
	}
	m := &machine{kernel: filepath.Join(from, "vmlinuz"), initrd: filepath.Join(dir, "initrd"), disk: filepath.Join(dir, "disk")}
	if err := os.WriteFile(m.initrd, a.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if m.forward, err = freePort(); err != nil {
		return nil, err
	}
	m.state = fmt.Sprintf("http://127.0.0.1:%d/cgi-bin/state", m.forward)
	if err := errors.Join(os.WriteFile(m.disk, nil, 0o600), os.Truncate(m.disk, diskBytes)); err != nil {
		return nil, err
	}
	if out, err := exec.Command("mke2fs", "-q", "-F", "-t", "ext4", m.disk).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mke2fs: %w: %s", err, out)
	}
	return m, nil
}

// freePort finds a port for QEMU, which cannot take just any.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// power starts the machine.
func (m *machine) power() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.console.Reset()
	m.cmd = exec.Command("qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-smp", "2", "-accel", "tcg,thread=multi", "-m", "2048",
		"-kernel", m.kernel, "-initrd", m.initrd, "-append", qemutest.LinuxArgs+" cgroup_no_v1=all",
		"-drive", "file="+m.disk+",format=raw,if=virtio", "-netdev", fmt.Sprintf("user,id=n,hostfwd=tcp:127.0.0.1:%d-:80", m.forward),
		"-device", "virtio-net-pci,netdev=n,romfile=", "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio")
	m.cmd.Stdout, m.cmd.Stderr = m, m
	return m.cmd.Start()
}

// cut takes the power away: what the machine has not written to its disk is lost.
func (m *machine) cut() {
	m.mu.Lock()
	cmd := m.cmd
	m.cmd = nil
	m.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// Write takes what the console shows.
func (m *machine) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.verbose {
		_, _ = io.Copy(os.Stdout, bytes.NewReader(p))
	}
	return m.console.Write(p)
}

// shown is what the console has shown since the power came.
func (m *machine) shown() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.ReplaceAll(m.console.String(), "\r", "")
}

func (m *machine) tail() string {
	lines := strings.Split(m.shown(), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
