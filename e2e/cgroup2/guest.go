package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/seraihq/serai/drivers/qemu/qemutest"
)

// initScript is the guest's first process. The first file system is one that no container can take as a root, so all goes to a second one.
//
//go:embed init.sh
var initScript string

// fileTexts are the guest's other files.
var fileTexts = map[string]string{
	"etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nbin:x:2:2:bin:/bin:/bin/false\n" +
		"games:x:5:60:games:/usr/games:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
	"etc/group":         "root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\ngames:x:60:\nusers:x:100:\nnogroup:x:65534:\n",
	"etc/hostname":      "guest\n",
	"etc/hosts":         "127.0.0.1 localhost guest\n",
	"etc/resolv.conf":   "nameserver 127.0.0.1\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}

// modules are what the guest's kernel loads.
var modules = []string{"overlay", "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk"}

// prepare writes the guest's kernel and first file system into dir.
func prepare(dir string, chosen []lane, programs []string, verbose bool) (kernel, initrd string, err error) {
	a, err := qemutest.System(initScript, modules)
	if err != nil {
		return "", "", err
	}
	there := map[string]bool{"/bin": true, "/dev": true, "/modules": true}
	for _, d := range []string{"/etc", "/tests", "/sbin", "/usr/bin", "/usr/sbin", "/lib", "/lib64", "/var/lib"} {
		directories(a, there, d)
	}
	for name, text := range fileTexts {
		a.File(name, []byte(text), 0o644)
	}
	for i, l := range chosen {
		text, err := os.ReadFile(programs[i])
		if err != nil {
			return "", "", err
		}
		if err := libraries(a, there, programs[i]); err != nil {
			return "", "", err
		}
		a.File("tests/"+l.name, text, 0o755)
	}
	for _, how := range arrangements {
		list := ""
		for _, l := range chosen {
			list += l.call(how, verbose)
		}
		a.File("tests/"+how, []byte(list), 0o644)
	}
	from, err := qemutest.Dir()
	if err != nil {
		return "", "", err
	}
	initrd = filepath.Join(dir, "initrd")
	return filepath.Join(from, "vmlinuz"), initrd, os.WriteFile(initrd, a.Bytes(), 0o644)
}

// disk makes the guest's disk: what allocations and images lie on is a file system as nodes have it.
func disk(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(path, diskBytes); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "mke2fs", "-q", "-F", "-t", "ext4", path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mke2fs: %w: %s", err, out)
	}
	return path, nil
}

const diskBytes = 2 << 30

// boot runs the guest to its end; what it says on its console goes to w.
func boot(ctx context.Context, kernel, initrd, disk string, w io.Writer) error {
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-smp", "2", "-accel", "tcg,thread=multi",
		"-m", "3072", "-kernel", kernel, "-initrd", initrd, "-append", qemutest.LinuxArgs+" cgroup_no_v1=all",
		"-drive", "file="+disk+",format=raw,if=virtio,cache=unsafe", "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, w, w
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the guest: %w", errors.Join(err, context.Cause(ctx)))
	}
	return nil
}
