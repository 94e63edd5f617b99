package qemutest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// modules are what the guest loads, in order: Debian's kernel for clouds has little built in.
var modules = []string{"virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover", "net_failover", "virtio_net",
	"evdev", "button"}

// Modules are what a guest with a network and a power button loads, in order.
func Modules() []string { return slices.Clone(modules) }

// initScript is the guest's first process. It answers "hello from the guest" over HTTP at port 80 and shuts down when its power button is pressed.
const initScript = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /www
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for m in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$m.ko; done
/bin/busybox ip link set lo up
/bin/busybox ip link set eth0 up
/bin/busybox ip addr add 10.0.2.15/24 dev eth0
/bin/busybox ip route add default via 10.0.2.2
echo "hello from the guest" >/www/index.html
/bin/busybox httpd -p 80 -h /www
(/bin/busybox cat /proc/cmdline; echo the guest is up) >/dev/console
for e in /dev/input/event*; do
	(/bin/busybox dd if=$e of=/dev/null bs=24 count=1 2>/dev/null && echo the guest shuts down >/dev/console && /bin/busybox poweroff -f) &
done
while :; do /bin/busybox sleep 3600; done
`

// LinuxArgs is what the kernel is started with: little output, no waiting.
const LinuxArgs = "console=ttyS0 quiet panic=-1 tsc=unstable"

// Dir is where fetch.sh puts the guest's kernel: $SERAI_GUEST, or serai/guest in the user's cache directory.
func Dir() (string, error) {
	if dir := os.Getenv("SERAI_GUEST"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "serai", "guest"), nil
}

// ErrMissing: the guest's kernel, or a static busybox, is not on this machine.
var ErrMissing = errors.New("not here: run make test-deps, which fetches a kernel and busybox")

// Linux writes the kernel and the first file system of the guest into dir and returns their paths.
func Linux(dir string) (kernel, initrd string, err error) {
	from, err := Dir()
	if err != nil {
		return "", "", err
	}
	image, err := os.ReadFile(filepath.Join(from, "vmlinuz"))
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrMissing, err)
	}
	a, err := System(initScript, modules)
	if err != nil {
		return "", "", err
	}
	kernel, initrd = filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "initrd")
	return kernel, initrd, errors.Join(os.WriteFile(kernel, image, 0o644), os.WriteFile(initrd, a.Bytes(), 0o644))
}

// System is a first file system with busybox at /bin/busybox, the script as its /init, and kernel modules in /modules, whose file "order" lists them
// as they are to be loaded.
func System(init string, modules []string) (*Archive, error) {
	from, err := Dir()
	if err != nil {
		return nil, err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	a := &Archive{}
	a.Directory("bin")
	a.Directory("dev")
	a.Directory("modules")
	a.File("bin/busybox", program, 0o755)
	a.File("init", []byte(init), 0o755)
	for _, m := range modules {
		text, err := os.ReadFile(filepath.Join(from, m+".ko"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", ErrMissing, err)
		}
		if err != nil {
			return nil, err
		}
		a.File("modules/"+m+".ko", text, 0o644)
	}
	a.File("modules/order", []byte(strings.Join(modules, "\n")+"\n"), 0o644)
	return a, nil
}

// etc are the files of a system with few users.
var etc = map[string]string{
	"etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nbin:x:2:2:bin:/bin:/bin/false\n" +
		"games:x:5:60:games:/usr/games:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
	"etc/group":         "root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\ngames:x:60:\nusers:x:100:\nnogroup:x:65534:\n",
	"etc/hostname":      "guest\n",
	"etc/hosts":         "127.0.0.1 localhost guest\n",
	"etc/resolv.conf":   "nameserver 127.0.0.1\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}

// Etc adds /etc of a system with few users.
func (a *Archive) Etc() {
	a.Path("/etc")
	for name, text := range etc {
		a.File(name, []byte(text), 0o644)
	}
}
