package qemu

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/qemu/qemutest"
)

// hostileInit is a guest that asks for the node by the addresses that QEMU's network gives it, and for the cloud's metadata.
const hostileInit = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for m in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$m.ko; done
/bin/busybox ip link set lo up
/bin/busybox ip link set eth0 up
/bin/busybox ip addr add 10.0.2.15/24 dev eth0
/bin/busybox ip route add default via 10.0.2.2
for a in 10.0.2.2:%[1]d 10.0.2.2:%[2]d 169.254.169.254:80; do
	/bin/busybox timeout 1 /bin/busybox wget -q -O - http://$a/ >/dev/console
done
echo the guest has tried >/dev/console
/bin/busybox poweroff -f
`

// answering is a server on the loopback of the calling thread's network.
func answering(t *testing.T, what string) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, what) })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// podNetwork is a network namespace with a loopback and a server on it.
func podNetwork(t *testing.T, what string) (path string, port int) {
	t.Helper()
	ready, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked: the namespace ends with the thread
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = loopbackUp()
		}
		if err == nil {
			path, port = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid()), answering(t, what)
		}
		ready <- err
		<-done
	}()
	t.Cleanup(func() { close(done) })
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	return path, port
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// TestEscapeGuest: root in a guest reaches the node's loopback neither from a network of its group's, which it does reach, nor where restrict_network
// holds it, where it reaches nothing.
func TestEscapeGuest(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("not here: networks need root")
	}
	node := answering(t, "the loopback of the node")
	for name, restricted := range map[string]bool{"own network": false, "restricted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, j := driver(t, nil), newJob(t, map[string]any{"restrict_network": restricted})
			pod, port := podNetwork(t, "the loopback of the pod")
			if !restricted {
				j.Network = &drivers.NetworkIsolation{Path: pod}
			}
			_, _, err := qemutest.Linux(j.TaskDir().Local)
			if errors.Is(err, qemutest.ErrMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := qemutest.System(fmt.Sprintf(hostileInit, node, port), qemutest.Modules())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(j.TaskDir().Local, "initrd"), a.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			j.Config["kernel"], j.Config["initrd"], j.Config["append"], j.Config["accelerator"] = "local/vmlinuz", "local/initrd", qemutest.LinuxArgs, "tcg"
			j.start(t, d)
			j.says(t, d, "the guest has tried")
			said := j.read()
			if strings.Contains(said, "loopback of the node") {
				t.Errorf("the guest reached the node: %s", said)
			}
			if reached := strings.Contains(said, "loopback of the pod"); reached == restricted {
				t.Errorf("the guest reached its pod: %v: %s", reached, said)
			}
		})
	}
}
