package qemu

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/seraihq/serai/drivers"
)

// The accelerators.
const (
	accelTCG = "tcg"
	accelKVM = "kvm"
)

// translationMiB is how much memory QEMU may use for translated code; by itself it takes up to 1 GiB.
const translationMiB = 128

// sandbox is QEMU's own filter of system calls at its strictest.
const sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

// machine is one virtual machine, checked and with all its files open, ready to be written as a command line.
type machine struct {
	taskConfig
	name     string
	memoryMB int64
	accel    string
	forwards []forward
	// The files by what they are; nil when there is none. format is that of disk.
	disk, kernel, initrd *os.File
	// again is the disk open for reading alone: QEMU first opens a disk like that.
	again  *os.File
	format string
	// monitor and agent are listening sockets.
	monitor, agent *os.File
}

// files are handed to QEMU in this order, from descriptor 3 on.
func (m *machine) files() []*os.File {
	var out []*os.File
	for _, f := range []*os.File{m.monitor, m.agent, m.disk, m.again, m.kernel, m.initrd} {
		if f != nil {
			out = append(out, f)
		}
	}
	return out
}

func (m *machine) close() {
	for _, f := range m.files() {
		_ = f.Close()
	}
}

// number is the descriptor that a file has in QEMU.
func (m *machine) number(f *os.File) int {
	for i, one := range m.files() {
		if one == f {
			return 3 + i
		}
	}
	return -1
}

// commandLine is what QEMU is started with. What a job wrote stands in it only where it was checked to be a plain word, or in JSON.
func (m *machine) commandLine() []string {
	args := []string{
		"-no-user-config", "-sandbox", sandbox,
		"-name", "guest=" + escape(m.name),
		"-machine", "type=" + m.MachineType + ",dump-guest-core=off",
		"-m", "size=" + strconv.FormatInt(m.memoryMB, 10) + "M",
		"-smp", "cpus=" + strconv.Itoa(max(1, m.CPUs)),
		"-display", "none", "-monitor", "none", "-parallel", "none",
		// The first serial port is the task's output; its standard input is empty.
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d,server=on,wait=off", m.number(m.monitor)),
		"-mon", "chardev=monitor,mode=control",
	}
	if m.accel == accelKVM {
		args = append(args, "-accel", accelKVM, "-cpu", "host")
	} else {
		args = append(args, "-accel", fmt.Sprintf("tcg,tb-size=%d", translationMiB))
	}
	if m.disk != nil {
		args = append(args, "-add-fd", fmt.Sprintf("fd=%d,set=1", m.number(m.disk)),
			"-add-fd", fmt.Sprintf("fd=%d,set=1", m.number(m.again)), "-drive", m.drive())
	}
	if m.kernel != nil {
		args = append(args, "-kernel", m.byDescriptor(m.kernel))
	}
	if m.initrd != nil {
		args = append(args, "-initrd", m.byDescriptor(m.initrd))
	}
	if m.Append != "" {
		args = append(args, "-append", m.Append)
	}
	args = append(args, m.network()...)
	if m.agent != nil {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=agent,fd=%d,server=on,wait=off", m.number(m.agent)),
			"-device", "virtio-serial", "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0")
	}
	return append(args, m.Args...)
}

func (m *machine) byDescriptor(f *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(m.number(f))
}

// drive describes the disk in full: its format is given, and the image has no backing file whatever its header says by now.
func (m *machine) drive() string {
	node := map[string]any{"driver": m.format, "file": map[string]any{"driver": "file", "filename": "/dev/fdset/1"}}
	if m.format == formatQcow2 {
		node["backing"] = nil
	}
	text, _ := json.Marshal(node) // strings and maps of them can always be written
	return fmt.Sprintf("if=%s,index=0,media=disk,file=json:%s", m.DriveInterface, escape(string(text)))
}

func (m *machine) network() []string {
	dev := "user,id=net0"
	if m.RestrictNetwork {
		dev += ",restrict=on"
	}
	for _, f := range m.forwards {
		dev += ",hostfwd=tcp:" + f.String() + ",hostfwd=udp:" + f.String()
	}
	nic := m.NetworkDevice + ",netdev=net0"
	if m.NetworkDevice == "virtio-net-pci" {
		nic += ",romfile=" // what boots from the network does not boot here, and trying takes a second
	}
	return []string{"-netdev", dev, "-device", nic}
}

// escape makes a text a value in one of QEMU's lists of options.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// forward is one port of the guest that is reached from outside.
type forward struct {
	hostIP      string
	host, guest int
}

// String is the forward as QEMU's hostfwd wants it, after the protocol.
func (f forward) String() string { return fmt.Sprintf("%s:%d-:%d", f.hostIP, f.host, f.guest) }

// forwards pairs the task's ports with those of the guest: by port_map, else by the port's own "to". In a network of the group's own, the address
// and the port are those inside of it, where the node's table of ports leads to.
func forwards(portMap map[string]int, ports []drivers.Port, inGroup bool) ([]forward, error) {
	var out []forward
	seen := map[string]bool{}
	for _, p := range ports {
		guest, mapped := portMap[p.Label]
		if mapped {
			seen[p.Label] = true
		} else if guest = p.To; guest <= 0 {
			continue
		}
		f := forward{hostIP: p.HostIP, host: p.Value, guest: guest}
		if inGroup {
			f.hostIP = ""
			if p.To > 0 {
				f.host = p.To
			}
		}
		if ip := net.ParseIP(f.hostIP); ip != nil && ip.To4() == nil {
			return nil, fmt.Errorf("port %q is at %s: QEMU forwards IPv4 ports only", p.Label, f.hostIP)
		}
		out = append(out, f)
	}
	for label := range portMap {
		if !seen[label] {
			return nil, fmt.Errorf("port_map: the group has no port %q: add port %q to its network block", label, label)
		}
	}
	return out, nil
}
