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

// modules are what the guest's kernel loads.
var modules = []string{"overlay", "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk"}

// prepare writes the guest's kernel and first file system into dir.
func prepare(dir string, chosen []lane, programs []string, verbose bool) (kernel, initrd string, err error) {
	a, err := qemutest.System(initScript, modules)
	if err != nil {
		return "", "", err
	}
	for _, d := range []string{"/etc", "/tests", "/sbin", "/usr/bin", "/usr/sbin", "/lib", "/lib64", "/var/lib"} {
		a.Path(d)
	}
	a.Etc()
	for i, l := range chosen {
		if err := a.Program("tests/"+l.name, programs[i]); err != nil {
			return "", "", err
		}
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
