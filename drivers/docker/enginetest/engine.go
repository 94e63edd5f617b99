package enginetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"
)

// Image is the name of the image that every engine has: busybox, with all its programs by their names.
const Image = "serai-test/busybox:1"

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// keeper is the script that owns the engine's network namespace. Its end, when the test closes its input or dies, is the end of everything: of the engine,
// what runs in it, its mounts and its files.
const keeper = `
dir=$1 group=$2
ip link set lo up
echo ready
cat >/dev/null
for f in "$dir/docker.pid" "$dir/x/containerd/containerd.pid"; do
	[ -f "$f" ] || continue
	pid=$(cat "$f"); kill "$pid" 2>/dev/null
	i=0; while kill -0 "$pid" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
	kill -9 "$pid" 2>/dev/null
done
i=0
while [ $i -lt 20 ]; do
	pids=$(cat /sys/fs/cgroup/*/"$group"/*/cgroup.procs /sys/fs/cgroup/"$group"/*/cgroup.procs 2>/dev/null)
	[ -n "$pids" ] || break
	kill -9 $pids 2>/dev/null; sleep 0.1; i=$((i+1))
done
for cmd in /proc/[0-9]*/cmdline; do # what watches over containers runs in no group of theirs
	tr '\0' ' ' <"$cmd" 2>/dev/null | grep -q -e "containerd-shim.* -address $dir/" && kill -9 "$(basename "$(dirname "$cmd")")" 2>/dev/null
done
grep -o " $dir/[^ ]*" /proc/self/mountinfo | sort -r | while read -r m; do umount -l "$m" 2>/dev/null; done
for g in /sys/fs/cgroup/*/"$group" /sys/fs/cgroup/"$group"; do
	[ -d "$g" ] && find "$g" -depth -type d -exec rmdir {} \; 2>/dev/null
done
rm -rf "$dir"
`

// Engine is a Docker Engine of the test's own.
type Engine struct {
	// Socket is where it listens.
	Socket string
	// Client speaks to it.
	Client *client.Client

	dir, group string
	keeper     *exec.Cmd
	input      io.Closer
	daemon     *exec.Cmd
	ended      chan struct{}
	flags      []string
}

// Missing says what is missing here to start an engine; nothing when it can be started.
func Missing() string {
	if os.Geteuid() != 0 {
		return "an engine needs root"
	}
	for _, p := range []string{"dockerd", "busybox", "nsenter", "ip", "iptables"} {
		if _, err := exec.LookPath(p); err != nil {
			return p + " is not installed: make test-deps"
		}
	}
	return ""
}

// Start starts an engine. Close must be called.
func Start(flags ...string) (*Engine, error) {
	dir, err := os.MkdirTemp("", "dk")
	if err != nil {
		return nil, err
	}
	e := &Engine{dir: dir, Socket: filepath.Join(dir, "docker.sock"), group: "serai-engine-" + filepath.Base(dir), flags: flags}
	if err := e.hold(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := e.Up(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.load(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// hold starts the keeper.
func (e *Engine) hold() error {
	e.keeper = exec.Command("sh", "-c", keeper, "keeper", e.dir, e.group)
	e.keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setsid: true}
	var err error
	if e.input, err = e.keeper.StdinPipe(); err != nil {
		return err
	}
	out, err := e.keeper.StdoutPipe()
	if err != nil {
		return err
	}
	if err := e.keeper.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		return fmt.Errorf("the engine's network namespace: %q: %w", line, err)
	}
	return nil
}

// Namespace is the file of the engine's network namespace.
func (e *Engine) Namespace() string { return "/proc/" + strconv.Itoa(e.keeper.Process.Pid) + "/ns/net" }

// Up starts the daemon, which does not run, and waits until it answers.
func (e *Engine) Up() error {
	log, err := os.OpenFile(e.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{"--net=" + e.Namespace(), "dockerd", "--data-root", filepath.Join(e.dir, "d"), "--exec-root", filepath.Join(e.dir, "x"),
		"-H", "unix://" + e.Socket, "-p", filepath.Join(e.dir, "docker.pid"), "--bip", "10.77.0.1/24", "--exec-opt", "native.cgroupdriver=cgroupfs",
		"--cgroup-parent", "/" + e.group, "--shutdown-timeout", "1"}, e.flags...)
	e.daemon = exec.Command("nsenter", args...)
	e.daemon.Stdout, e.daemon.Stderr = log, log
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := e.daemon.Start(); err != nil {
		return err
	}
	e.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(e.daemon, e.ended)
	return e.awaitReady()
}

func (e *Engine) awaitReady() error {
	var err error
	if e.Client, err = client.New(client.WithHost("unix://" + e.Socket)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if _, err = e.Client.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err == nil {
			return nil
		}
		select {
		case <-e.ended:
			return fmt.Errorf("dockerd has ended:\n%s", e.tail())
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %w\n%s", err, e.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Down ends the daemon, by a signal or the hard way, and waits for its end.
func (e *Engine) Down(hard bool) error {
	sig := syscall.SIGTERM
	if hard {
		sig = syscall.SIGKILL
	}
	if err := e.daemon.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-e.ended:
	case <-time.After(stopTimeout):
		return errors.New("dockerd does not end")
	}
	if hard {
		// Its containerd dies with it. Where nobody reaps orphans its number stays taken, and the next daemon would take it for alive.
		return os.Remove(filepath.Join(e.dir, "x", "containerd", "containerd.pid"))
	}
	return nil
}

// Close ends the engine and removes all of it.
func (e *Engine) Close() error {
	if e.Client != nil {
		_ = e.Client.Close()
	}
	_ = e.input.Close()
	done := make(chan error, 1)
	go func() { done <- e.keeper.Wait() }()
	select {
	case <-done:
	case <-time.After(2 * stopTimeout):
		return errors.New("the engine's keeper does not end")
	}
	if e.ended != nil {
		<-e.ended
	}
	if _, err := os.Lstat(e.dir); err == nil {
		return fmt.Errorf("%s is still there", e.dir)
	}
	return nil
}

func (e *Engine) logFile() string { return filepath.Join(e.dir, "log") }

func (e *Engine) tail() string {
	text, _ := os.ReadFile(e.logFile())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
