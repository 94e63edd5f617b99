package fetch

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/internal/pattern"
)

// sizeEvery is how often the size of what git has written is looked at.
const sizeEvery = 250 * time.Millisecond

// maxComplaint is how much of what git says is told.
const maxComplaint = 600

// refs are the names of branches, tags and commits that are taken, up to
// maxRef bytes long. (A counted repetition would cost every start of the agent
// a quarter of a MiB.)
var refs = pattern.New(`^[A-Za-z0-9_][A-Za-z0-9_./+@=-]*$`)

const maxRef = 255

// CheckGit refuses an address or a reference that git or ssh could take for an
// option or for a program to run.
func CheckGit(address, ref string) error {
	u, err := url.Parse(address)
	if err != nil {
		return invalid("the git address cannot be read")
	}
	switch {
	case !slices.Contains([]string{"http", "https", "ssh", "git"}, u.Scheme):
		return denied("git does not fetch from %q addresses: use https, http, ssh or git", u.Scheme)
	case u.Hostname() == "" || strings.HasPrefix(u.Host, "-"):
		return denied("the host of the git address is missing, or begins with \"-\"")
	case u.User != nil && strings.HasPrefix(u.User.Username(), "-"):
		return denied("the user of the git address begins with \"-\"")
	case strings.HasPrefix(strings.TrimLeft(u.Path, "/~"), "-"):
		return denied("the path of the git address begins with \"-\"")
	case strings.ContainsFunc(u.Path+u.Host+u.User.String(), func(r rune) bool { return r < ' ' }):
		return denied("the git address holds control characters")
	case ref != "" && (len(ref) > maxRef || !refs.MatchString(ref) || strings.Contains(ref, "..")):
		return denied("ref %.100q is no name of a branch, tag or commit", ref)
	}
	return nil
}

// git clones a repository.
func (f *fetcher) git(ctx context.Context) error {
	if f.Checksum != "" {
		return invalid("a checksum is for files, and git gives a directory: name a commit as ref")
	}
	if f.Mode == ModeFile {
		return invalid("git gives a directory: use mode \"dir\" or \"any\"")
	}
	if err := CheckGit(f.URL, f.Ref); err != nil {
		return err
	}
	env, err := f.gitEnv()
	if err != nil {
		return err
	}
	ctx, stop := f.watchSize(ctx)
	defer stop()
	dir := ResultDir
	if f.Subdir != "" {
		dir = filepath.Join(tempDir, "tree")
	}
	if err := f.clone(ctx, env, dir); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	return f.choose(dir)
}

func (f *fetcher) clone(ctx context.Context, env []string, dir string) error {
	depth := []string{}
	if f.Depth > 0 {
		depth = []string{"--depth", strconv.Itoa(f.Depth)}
	}
	run := func(dir string, args ...string) error { return runGit(ctx, env, dir, args...) }
	var err error
	if f.Ref != "" && f.Depth > 0 {
		// A shallow clone has only its default branch: fetch just what is asked for.
		err = errors.Join(err, os.MkdirAll(dir, 0o755))
		for _, args := range [][]string{
			{"init", "-q", "--template="}, {"remote", "add", "--", "origin", f.URL},
			append(append([]string{"fetch", "-q"}, depth...), "--", "origin", f.Ref), {"checkout", "-q", "--detach", "FETCH_HEAD", "--"},
		} {
			if err == nil {
				err = run(dir, args...)
			}
		}
	} else {
		args := append([]string{"clone", "-q", "--template="}, depth...)
		err = run(".", append(args, "--", f.URL, dir)...)
		if err == nil && f.Ref != "" {
			err = run(dir, "checkout", "-q", f.Ref, "--")
		}
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, ".gitmodules")); err != nil {
		return nil
	}
	return run(dir, append([]string{"submodule", "-q", "update", "--init", "--recursive"}, depth...)...)
}

func runGit(ctx context.Context, env []string, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, time.Second
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return invalid("git is not installed on this node")
	}
	if text := said.text(); text != "" {
		return fmt.Errorf("git %s: %s", args[0], text)
	}
	return fmt.Errorf("git %s: %w", args[0], err)
}

// tail keeps the end of what a program says.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - maxComplaint; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	text := strings.Join(strings.Fields(string(bytes.ToValidUTF8(t.buf, []byte("?")))), " ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// gitEnv is the environment of git: no configuration but ours, no hooks, no
// helpers, no questions, and no transport that runs programs of its own.
func (f *fetcher) gitEnv() ([]string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	temp := filepath.Join(wd, tempDir)
	ssh, err := f.sshCommand(temp)
	if err != nil {
		return nil, err
	}
	settings := [][2]string{
		{"core.hooksPath", "/dev/null"}, {"core.fsmonitor", "false"}, {"core.askPass", "/bin/false"}, {"credential.helper", ""},
		{"protocol.allow", "never"}, {"protocol.http.allow", "always"}, {"protocol.https.allow", "always"},
		{"protocol.ssh.allow", "always"}, {"protocol.git.allow", "always"}, {"protocol.file.allow", "never"}, {"protocol.ext.allow", "never"},
		{"transfer.fsckObjects", "true"}, {"gc.auto", "0"}, {"maintenance.auto", "false"}, {"advice.detachedHead", "false"},
		{"safe.directory", "*"}, {"pack.windowMemory", "256m"}, {"pack.threads", "1"}, {"init.defaultBranch", "main"},
		{"http.sslVerify", strconv.FormatBool(!f.Insecure)}, {"http.followRedirects", "initial"},
	}
	if f.Limits.Stall > 0 { // curl's own stall watch, in whole seconds
		settings = append(settings, [2]string{"http.lowSpeedLimit", "1"}, [2]string{"http.lowSpeedTime", strconv.Itoa(max(1, int(f.Limits.Stall/time.Second)))})
	}
	if u, err := url.Parse(f.URL); err == nil {
		for name, value := range f.Headers {
			settings = append(settings, [2]string{"http." + u.Scheme + "://" + u.Host + "/.extraHeader", name + ": " + value})
		}
	}
	env := append(os.Environ(), "HOME="+temp, "TMPDIR="+temp, "LANG=C", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ALLOW_PROTOCOL=http:https:ssh:git", "GIT_PROTOCOL_FROM_USER=0", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=/bin/false",
		"SSH_ASKPASS=/bin/false", "GIT_LFS_SKIP_SMUDGE=1", "GIT_SSH_COMMAND="+ssh, "GIT_CONFIG_COUNT="+strconv.Itoa(len(settings)))
	for i, s := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	return env, nil
}

// sshCommand makes the command that git calls for ssh; hosts must be known.
func (f *fetcher) sshCommand(temp string) (string, error) {
	command := "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o PermitLocalCommand=no -o ForwardAgent=no"
	known := filepath.Join(temp, "known_hosts")
	if err := os.WriteFile(known, []byte(f.KnownHosts), 0o600); err != nil {
		return "", err
	}
	command += " -o UserKnownHostsFile=" + known
	if f.SSHKey == "" {
		return command, nil
	}
	key, err := base64.StdEncoding.DecodeString(f.SSHKey)
	if err != nil {
		return "", invalid("sshkey is no base64: write it with base64 -w0")
	}
	file := filepath.Join(temp, "key")
	if err := os.WriteFile(file, append(bytes.TrimRight(key, "\n"), '\n'), 0o600); err != nil {
		return "", err
	}
	return command + " -o IdentitiesOnly=yes -i " + file, nil
}

// watchSize ends a context when the work directory has grown past the limit:
// what git writes goes past our own counting.
func (f *fetcher) watchSize(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if f.Limits.Bytes <= 0 {
		return ctx, func() { cancel(nil) }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(sizeEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if n := sizeOf("."); n > f.Limits.Bytes {
				cancel(tooLarge("the repository is larger than the limit of %d bytes: the group's ephemeral_disk, or http_max_size of the agent's configuration", f.Limits.Bytes))
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// sizeOf adds up what lies beneath a directory; what vanishes meanwhile is left out.
func sizeOf(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
