package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/qemu/qemutest"
)

// machines starts a machine with a real kernel by hand and through the driver, until it answers on its forwarded port.
func machines(ctx context.Context, b *bench) ([]figure, error) {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return nil, errors.New("QEMU is not installed")
	}
	dir, err := os.MkdirTemp("", "serai-bench-machines-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	kernel, initrd, err := qemutest.Linux(dir)
	if err != nil {
		return nil, err
	}
	d, err := b.launch(ctx, dir, "qemu", map[string]any{"image_paths": []any{dir}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Kill() }()
	hand, ours := figure{what: "QEMU by hand, TCG: until the guest answers over HTTP", unit: "ms"}, figure{what: "qemu: the same", unit: "ms"}
	for i := range b.runs(3) {
		took, err := byHand(ctx, kernel, initrd)
		if err != nil {
			return nil, err
		}
		hand.values = append(hand.values, ms(took))
		if took, err = byDriver(ctx, d, dir, i, kernel, initrd); err != nil {
			return nil, err
		}
		ours.values = append(ours.values, ms(took))
	}
	return []figure{hand, ours, {what: "qemu ÷ by hand", unit: "×", budget: 1.2, values: ratios(ours.values, hand.values)}}, nil
}

func byHand(ctx context.Context, kernel, initrd string) (time.Duration, error) {
	port, err := free()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-m", "128", "-display", "none", "-serial", "null", "-monitor", "none",
		"-kernel", kernel, "-initrd", initrd, "-append", qemutest.LinuxArgs,
		"-netdev", fmt.Sprintf("user,id=n,hostfwd=tcp:127.0.0.1:%d-:80", port), "-device", "virtio-net-pci,netdev=n,romfile=")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	err = answers(ctx, port)
	took := time.Since(began)
	cancel()
	_ = cmd.Wait()
	return took, err
}

func byDriver(ctx context.Context, d drivers.Driver, dir string, n int, kernel, initrd string) (time.Duration, error) {
	port, err := free()
	if err != nil {
		return 0, err
	}
	t, err := newTask(dir, "qemu-"+strconv.Itoa(n), map[string]any{"kernel": kernel, "initrd": initrd, "append": qemutest.LinuxArgs, "accelerator": "tcg",
		"port_map": map[string]any{"http": 80}})
	if err != nil {
		return 0, err
	}
	t.Resources.Ports = []drivers.Port{{Label: "http", Value: port, HostIP: "127.0.0.1"}}
	began := time.Now()
	if _, err := d.Start(ctx, t); err != nil {
		return 0, err
	}
	err = answers(ctx, port)
	took := time.Since(began)
	return took, errors.Join(err, d.Destroy(ctx, t.ID, true), os.RemoveAll(filepath.Clean(t.AllocDir)))
}

// answers waits until the guest answers.
func answers(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	// QEMU takes connections before the guest does, and those hang: better to try again soon.
	client := http.Client{Timeout: 200 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if strings.Contains(string(text), "hello") {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the guest does not answer: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func free() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
