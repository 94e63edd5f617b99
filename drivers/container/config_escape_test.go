package container

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
)

// TestEscapeImageConfig: whatever an image's configuration says of directories, variables, users, programs and signals, the container starts in its own
// root or not at all.
func TestEscapeImageConfig(t *testing.T) {
	w := newWorld(t, nil)
	host := sentinel(t)
	up := "../../../../../../../../../../.."
	links := layer(t, map[string]string{"abs": "-> " + host, "rel": "-> " + up + host, "magic": "-> /proc/1/root" + host, "cwd": "-> /proc/self/cwd", "loop": "-> loop",
		"etc/passwd": "-> " + host + "/secret", "etc/group": "-> " + host + "/secret"})
	for name, c := range map[string]image.Config{
		"directory by link":          {WorkingDir: "/abs"},
		"directory by relative link": {WorkingDir: "/rel"},
		"directory by magic link":    {WorkingDir: "/magic"},
		"directory that is its own":  {WorkingDir: "/cwd"},
		"directory without end":      {WorkingDir: "/loop"},
		"directory of the node":      {WorkingDir: host},
		"directory above":            {WorkingDir: up + host},
		"directory with a zero":      {WorkingDir: "/tmp\x00" + host},
		"directory that is long":     {WorkingDir: strings.Repeat("/x", 5000)},
		"odd variables":              {Env: []string{"", "=", "=x", "A", "LD_PRELOAD=/abs/secret", "NUL=\x00x", "GODEBUG=execwait=2", "_LIBCONTAINER_INITPIPE=3", "_LIBCONTAINER_FIFOFD=4", "BASH_ENV=" + host}},
		"many variables":             {Env: strings.Split(strings.Repeat("N=v ", 50000), " ")},
		"a variable without end":     {Env: []string{"BIG=" + strings.Repeat("x", 3<<20)}},
		"odd signal":                 {StopSignal: "SIGKILL; touch " + host + "/made"},
		"signal out of range":        {StopSignal: "99999"},
		"user by link":               {User: "secret"},
		"user of the node":           {User: "daemon"},
		"program by link":            {Entrypoint: []string{"/abs/secret"}},
		"program with a zero":        {Entrypoint: []string{"/bin/sh\x00-c"}},
		"program of open files":      {Entrypoint: []string{"/proc/self/fd/7"}},
		"ports and volumes":          {ExposedPorts: []string{"0/tcp", "x", "-1"}, Volumes: []string{"", "/", up + host, "/proc", "/abs"}},
	} {
		c.Env = append([]string{"PATH=/bin"}, c.Env...)
		w.image("hostile", c, w.root, links)
		config := map[string]any{"image": "hostile"}
		if c.Entrypoint == nil {
			config["command"], config["args"] = "sh", []any{"-c", "pwd; ls; cat secret ./secret " + host + "/secret; touch made " + host + "/made; env; readlink /proc/self/cwd; ls -l /proc/self/fd; echo end"}
		}
		r := w.run(config)
		if err := r.try(); err != nil {
			t.Logf("%s: refused: %.200v", name, err)
			continue
		}
		if strings.Contains(name, "signal") {
			_ = r.d.Stop(t.Context(), r.task.ID, time.Second, "")
		}
		r.wait()
		if out := r.out.String(); strings.Contains(out, "of the host") || strings.Contains(out, "unreachable") || strings.Contains(out, "_LIBCONTAINER") && name != "odd variables" {
			t.Errorf("%s: %.2000s", name, out)
		}
	}
}

// TestEscapeTerminal: a task of root changes the files by which a command gets its terminal while commands get theirs: CVE-2025-52565 and its like. The
// terminal is the container's, or there is none.
func TestEscapeTerminal(t *testing.T) {
	w := newWorld(t, nil)
	host := sentinel(t)
	r := w.script(`echo ready; cd /dev
while :; do
ln -sf ` + host + `/secret ptmx; ln -sfn ` + host + ` console; rm -f ptmx; ln -sf /proc/1/root` + host + `/secret ptmx; rm -f ptmx console tty
mknod ptmx c 1 3; rm -f ptmx; mkdir ptmx; rmdir ptmx; ln -sf null ptmx; ln -sf pts/ptmx ptmx; ln -sf pts/0 console; sleep 0.002
done 2>/dev/null`).start()
	r.until("ready")
	got := 0
	for range 40 {
		var out output
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := r.d.Exec(ctx, r.task.ID, drivers.ExecRequest{Command: []string{"sh", "-c", "readlink /proc/self/fd/0; cat " + filepath.Join(host, "secret")}, TTY: true,
			Stdin: bytes.NewReader([]byte("injected\n")), Stdout: &out})
		cancel()
		if said := out.String(); err == nil {
			if strings.Contains(said, "/pts/") {
				got++
			}
			if strings.Contains(said, "of the host") {
				t.Fatalf("%s", said)
			}
		}
	}
	if got == 0 {
		t.Error("no command got a terminal: the race was none")
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), host) {
		t.Errorf("something is mounted on the host: %v\n%s", err, mounts)
	}
}

// TestEscapeMountsOverTheKernels: nothing of the job's or of the image's stands where the kernel's files are looked for, by the container's makers or by its
// guards (CVE-2019-19921, CVE-2025-52881).
func TestEscapeMountsOverTheKernels(t *testing.T) {
	w := newWorld(t, nil)
	for _, target := range []string{"/proc", "/proc/self", "/proc/sys", "/proc/self/attr", "/proc/sysrq-trigger", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/dev/null"} {
		for kind, config := range map[string]map[string]any{
			"volume": {"volumes": []any{"local/dir:" + target}},
			"tmpfs":  {"mount": []any{map[string]any{"type": "tmpfs", "target": target}}},
		} {
			config["command"], config["args"] = "sh", []any{"-c", `for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern; do (echo >>$f) 2>/dev/null && echo "CAN write $f"; done
for f in /proc/kcore /proc/keys; do [ "$(head -c 1 $f 2>/dev/null | wc -c)" = 0 ] || echo "CAN read $f"; done
grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status; echo end`}
			r := w.run(config)
			if err := r.try(); err != nil {
				continue // refused
			}
			r.wait()
			out := r.out.String()
			if strings.HasPrefix(target, "/proc") || strings.Contains(out, "CAN ") || !strings.Contains(out, "end") && !strings.HasPrefix(target, "/dev") {
				t.Errorf("%s at %s: %s", kind, target, out)
			}
		}
	}
}
