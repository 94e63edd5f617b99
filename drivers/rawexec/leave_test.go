package rawexec

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// A process of the driver that has been left alone ends. What its tasks came to, and what they wrote last, is found by the next one.
func TestLeave(t *testing.T) {
	cfg := task(t, "echo goodbye; exit 7", nil)
	td := cfg.TaskDir()
	for _, dir := range []string{td.Private, td.Logs} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cfg.StdoutPath, cfg.StderrPath = filepath.Join(td.Logs, "out"), filepath.Join(td.Logs, "err")
	for _, path := range []string{cfg.StdoutPath, cfg.StderrPath} {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	agent, err := os.OpenFile(cfg.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0) // which is killed before it has read
	if err != nil {
		t.Fatal(err)
	}
	first := newDriver(t, map[string]any{})
	h, err := first.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Wait(t.Context(), cfg.ID); err != nil {
		t.Fatal(err)
	}
	_ = agent.Close()
	second := newDriver(t, map[string]any{})
	running := task(t, "exec sleep 600", nil)
	running.ID = "raw/other/1"
	if _, err := first.Start(t.Context(), running); err != nil {
		t.Fatal(err)
	}
	if err := first.Leave(); err == nil {
		t.Error("a task that runs was left")
	}
	if err := first.Destroy(t.Context(), running.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := first.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := second.Recover(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	// As when the first one's process has ended: its pipes are closed, and only the second one's are open.
	if err := first.Destroy(t.Context(), cfg.ID, true); err != nil {
		t.Fatal(err)
	}
	want := drivers.ExitResult{ExitCode: 7}
	if r, err := second.Wait(t.Context(), cfg.ID); err != nil || r != want {
		t.Errorf("%+v %v", r, err)
	}
	f, err := os.OpenFile(cfg.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := make([]byte, len("goodbye\n"))
	_ = f.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(f, line); err != nil || string(line) != "goodbye\n" {
		t.Errorf("%q %v", line, err)
	}
	if err := second.Destroy(t.Context(), cfg.ID, true); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(td.Private, "ended-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The file does not follow a link that the task has put in its way.
func TestEscapeLeave(t *testing.T) {
	needRoot(t)
	elsewhere := t.TempDir()
	cfg := task(t, "rmdir private; ln -s '"+elsewhere+"' private", map[string]any{"work_dir": ""})
	if err := os.MkdirAll(cfg.TaskDir().Private, 0o700); err != nil {
		t.Fatal(err)
	}
	d := newDriver(t, map[string]any{})
	if _, err := d.Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Wait(t.Context(), cfg.ID); err != nil {
		t.Fatal(err)
	}
	if link, err := os.Readlink(cfg.TaskDir().Private); err != nil || link != elsewhere {
		t.Fatalf("%q %v: the link is not there", link, err)
	}
	if err := d.Leave(); err == nil {
		t.Error("written through a link")
	}
	if entries, _ := os.ReadDir(elsewhere); len(entries) > 0 {
		t.Errorf("written elsewhere: %v", entries)
	}
	if err := d.Destroy(t.Context(), cfg.ID, true); err != nil {
		t.Error(err)
	}
}
