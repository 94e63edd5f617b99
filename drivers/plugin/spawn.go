package plugin

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

	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/signals"
)

// maxLog is the size at which the log file of a host is set aside when the host is started again.
const maxLog = 8 << 20

// maxSocketDir is the longest directory in which a socket path still fits the 107 bytes that the kernel allows.
const maxSocketDir = 80

// spawned is a process that has told its address.
type spawned struct {
	process *process.Process
	network string
	address string
	// sockets is the directory made for the process.
	sockets string
	// lifeline is nil for a process that is not a host of ours.
	lifeline *os.File
}

// spawn starts the command in a session of its own and reads its handshake.
func spawn(ctx context.Context, opts Options) (*spawned, error) {
	dir, err := socketDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	log, err := openLog(filepath.Join(opts.Dir, filepath.Base(opts.Name)+".log"))
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	defer log.Close()
	stdin, line, err := lifeline(opts.Args)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("pipe to %s: %w", opts.Path, err)
	}
	start, _ := log.Seek(0, io.SeekEnd)
	p, stdout, err := startProcess(opts, dir, stdin, log)
	if err != nil {
		_ = line.Close()
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start %s: %w", opts.Path, err)
	}
	defer stdout.Close()
	network, address, err := readHandshake(ctx, p, stdout)
	if err != nil {
		abandon(p)
		_ = line.Close()
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start %s: %w%s", opts.Path, err, said(log.Name(), start))
	}
	return &spawned{process: p, network: network, address: address, sockets: dir, lifeline: line}, nil
}

// abandon ends a process that turned out not to be a driver, and what it has started.
func abandon(p *process.Process) {
	_ = syscall.Kill(-p.Identity().PID, syscall.SIGKILL) // its process group: it leads one, and is not reaped yet
	_ = p.Signal(syscall.SIGKILL)
	_, _ = p.Wait(context.Background())
	_ = p.Close()
}

func socketDir(parent string) (string, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", fmt.Errorf("directory for driver processes: %w", err)
	}
	if len(parent) > maxSocketDir {
		parent = os.TempDir()
	}
	dir, err := os.MkdirTemp(parent, "p") // mode 0700
	if err != nil {
		return "", fmt.Errorf("directory for a driver's socket: %w", err)
	}
	return dir, nil
}

func openLog(path string) (*os.File, error) {
	if st, err := os.Stat(path); err == nil && st.Size() > maxLog {
		_ = os.Rename(path, path+".1")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of a driver process: %w", err)
	}
	return f, nil
}

// startProcess starts the command, with stdin unless that is nil, and closes that here. It holds both ends of its own standard output, so that nobody's end can kill it by SIGPIPE.
func startProcess(opts Options, sockets string, stdin, log *os.File) (*process.Process, *os.File, error) {
	defer stdin.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	both, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(w.Fd())), os.O_RDWR, 0)
	if err != nil {
		_ = r.Close()
		return nil, nil, err
	}
	defer both.Close()
	signals.Unignore()
	pidfd := -1
	cmd := exec.Command(opts.Path, opts.Args...)
	cmd.Dir = "/"
	cmd.Env = append(hostEnviron(opts.Env),
		magicCookieKey+"="+magicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS="+strconv.Itoa(protocolVersion),
		"PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000",
		"PLUGIN_UNIX_SOCKET_DIR="+sockets,
		"TMPDIR="+sockets,
		dirVariable+"="+opts.Dir,
	)
	cmd.Stdout, cmd.Stderr = both, log
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd}
	if err := cmd.Start(); err != nil {
		_ = r.Close()
		return nil, nil, err
	}
	p, err := process.Adopt(cmd.Process.Pid, pidfd)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = r.Close()
		return nil, nil, err
	}
	_ = cmd.Process.Release()
	return p, r, nil
}

// hostEnviron is what a driver process inherits: enough to find programs, and nothing that could be a secret of the agent's.
func hostEnviron(extra []string) []string {
	var out []string
	for _, k := range []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "GOTRACEBACK", "GOCOVERDIR", "SERAI_FAILPOINTS_DIR"} {
		if v, ok := os.LookupEnv(k); ok {
			out = append(out, k+"="+v)
		}
	}
	return append(out, extra...)
}

// maxHandshake is how long that line may be.
const maxHandshake = 4 << 10

// readHandshake reads the one line that a plugin prints: core version, protocol version, network, address, protocol and more.
func readHandshake(ctx context.Context, p *process.Process, stdout *os.File) (network, address string, err error) {
	stop := context.AfterFunc(ctx, func() { _ = stdout.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	// The process holds the other end open itself, so its end does not close the pipe: watch for that.
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if p.Ended(watch) == nil {
			_ = stdout.SetReadDeadline(time.Unix(1, 0))
		}
	}()
	line, err := bufio.NewReader(io.LimitReader(stdout, maxHandshake)).ReadString('\n')
	cancel()
	<-ended
	if err != nil {
		switch {
		case ctx.Err() != nil:
			return "", "", fmt.Errorf("it did not report its address in time: %w", ctx.Err())
		case len(line) == maxHandshake:
			return "", "", errors.New("it is not a driver plugin: its first line does not end")
		case errors.Is(err, io.EOF), !p.Alive(): // it holds the other end until its end
			return "", "", errors.New("it ended before it reported its address")
		}
		return "", "", fmt.Errorf("read its address: %w", err)
	}
	return parseHandshake(strings.TrimSpace(line))
}

func parseHandshake(line string) (network, address string, err error) {
	parts := strings.Split(line, "|")
	if len(parts) < 5 {
		return "", "", fmt.Errorf("it is not a driver plugin: its first line is %q", line)
	}
	switch {
	case parts[0] != strconv.Itoa(coreVersion):
		return "", "", fmt.Errorf("it speaks go-plugin's core version %s, and %d is needed", parts[0], coreVersion)
	case parts[1] != strconv.Itoa(protocolVersion):
		return "", "", fmt.Errorf("it speaks plugin protocol %s, and %d is needed", parts[1], protocolVersion)
	case parts[4] != "grpc":
		return "", "", fmt.Errorf("it speaks %q, and grpc is needed", parts[4])
	case parts[2] != "unix":
		return "", "", fmt.Errorf("it listens on a %s socket, and only a unix socket is accepted", parts[2])
	case !filepath.IsAbs(parts[3]):
		return "", "", fmt.Errorf("its socket %q is not an absolute path", parts[3])
	}
	return parts[2], parts[3], nil
}

// said returns the end of what a process wrote to its log since start, for an error message.
func said(path string, start int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() <= start {
		return ""
	}
	if st.Size()-start > 2<<10 {
		start = st.Size() - 2<<10
	}
	text, _ := io.ReadAll(io.NewSectionReader(f, start, st.Size()-start))
	return ": it said: " + strings.TrimSpace(string(text))
}
