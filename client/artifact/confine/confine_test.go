package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a confined process must neither read nor write, and whom it must not see.
const (
	victim   = "SERAI_VICTIM"
	agentPID = "SERAI_AGENT"
	// An abstract socket of the host's, where Landlock can close them.
	socketName = "SERAI_SOCKET"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "enter" {
		unix.Umask(0o077) // as the agent's
		var s Spec
		err := json.Unmarshal([]byte(os.Args[2]), &s)
		if err == nil {
			err = Enter(s, []string{os.Args[0], "probe"}, os.Environ())
		}
		fmt.Println("enter:", err)
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "probe" {
		probe()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// probe tries what a confined process may not do, and tells what it could.
func probe() {
	try := func(name string, err error) {
		if err == nil {
			fmt.Println("could:", name)
		}
	}
	read := func(path string) error { _, err := os.ReadFile(path); return err }
	write := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	file := os.Getenv(victim)
	try("read "+file, read(file))
	try("write "+file, os.WriteFile(file, []byte("theirs"), 0o600))
	try("remove "+file, os.Remove(file))
	for _, path := range []string{"/etc/shadow", "/root/.bashrc", "/proc/1/environ", "/proc/self/mem", "/sys/kernel/uevent_helper"} {
		try("read "+path, read(path))
	}
	for _, path := range []string{"/x", "/tmp/serai-probe", "/dev/shm/serai-probe", "/usr/serai-probe", "/etc/serai-probe", "../x", "../root/x"} {
		try("write "+path, write(path))
	}
	_, err := os.ReadDir("/home")
	try("list /home", err)
	try("make a device", unix.Mknod("dev", unix.S_IFCHR|0o666, 0x0103))
	try("make a fifo", unix.Mknod("fifo", unix.S_IFIFO|0o666, 0))
	try("mount", unix.Mount("tmpfs", ".", "tmpfs", 0, ""))
	try("unshare", unix.Unshare(unix.CLONE_NEWUSER))
	try("chroot", unix.Chroot("."))
	try("become root", unix.Setuid(0))
	try("keyctl", func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err }())
	try("AF_ALG", func() error { _, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0); return err }())
	try("raw socket", func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, 1); return err }())
	try("packet socket", func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err }())
	try("own more files", unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}))
	agent, _ := strconv.Atoi(os.Getenv(agentPID))
	try("signal the agent", unix.Kill(agent, 0))
	if name := os.Getenv(socketName); name != "" {
		c, err := net.Dial("unix", "@"+name)
		try("reach an abstract socket", err)
		if err == nil {
			c.Close()
		}
	}
	must := func(name string, err error) {
		if err != nil {
			fmt.Println("could not:", name, err)
		}
	}
	must("write its own", write("own"))
	must("make a directory", os.Mkdir("dir", 0o755))
	must("rename", os.Rename("own", "dir/own"))
	must("read certificates or programs", read("/etc/nsswitch.conf"))
	must("use /dev/null", os.WriteFile("/dev/null", []byte("x"), 0))
	must("run a program", exec.Command("/bin/sh", "-c", "exit 0").Run())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must("use the network", err)
	if err == nil {
		l.Close()
	}
	fmt.Println("done as", os.Getuid())
}

// enter runs the probes in a process that is confined so.
func enter(t *testing.T, s Spec, flags uintptr) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "serai-confine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, mode := range map[string]os.FileMode{"": 0o711, "work": 0o700, "root": 0o700} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, name), mode), os.Chmod(filepath.Join(dir, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	s.Work, s.Root = dir+"/work", dir+"/root"
	if s.UID >= 0 {
		if err := os.Chown(s.Work, s.UID, s.UID); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "victim")
	if err := os.WriteFile(file, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	spec, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("serai-confine-%d", os.Getpid())
	l, err := net.Listen("unix", "@"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := exec.Command("/proc/self/exe", "enter", string(spec))
	cmd.Env = append(os.Environ(), victim+"="+file, agentPID+"="+strconv.Itoa(os.Getpid()))
	if s.Landlock && landlockVersion() >= 6 {
		cmd.Env = append(cmd.Env, socketName+"="+name)
	}
	cmd.Dir, cmd.WaitDelay = "/", 10*time.Second
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: flags}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(file); string(b) != "mine" || err != nil {
		t.Errorf("the victim holds %q %v", b, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

const ns = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// TestEscapeConfinement: the walls hold together, and the view and Landlock each
// without the other.
func TestEscapeConfinement(t *testing.T) {
	const user = 0xFFFE1234
	for name, c := range map[string]struct {
		spec  Spec
		flags uintptr
		root  bool
		may   []string // what this one wall alone does not keep out
	}{
		"all":       {Spec{UID: user, View: true, Landlock: true, FileBytes: 1 << 20}, ns, true, nil},
		"view":      {Spec{UID: user, View: true}, ns, true, []string{"make a fifo"}},
		"landlock":  {Spec{UID: user, Landlock: true}, unix.CLONE_NEWPID, true, nil},
		"same user": {Spec{UID: -1, Landlock: true}, 0, false, sameUser()},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can become somebody else")
			}
			for _, line := range enter(t, c.spec, c.flags) {
				what, bad := strings.CutPrefix(line, "could: ")
				if bad && !slices.Contains(c.may, what) || strings.HasPrefix(line, "could not: ") {
					t.Error(line)
				}
			}
		})
	}
}

// sameUser are what Landlock alone cannot keep root from.
func sameUser() []string {
	may := []string{"become root", "raw socket"}
	if landlockVersion() < 6 {
		may = append(may, "signal the agent")
	}
	return may
}

func landlockVersion() int {
	v, _, _ := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return int(v)
}

// TestFilter: every instruction's jumps end within the program.
func TestFilter(t *testing.T) {
	p := program()
	for i, in := range p {
		if in.Code&0x07 == unix.BPF_JMP && (i+1+int(in.Jt) >= len(p) || i+1+int(in.Jf) >= len(p)) {
			t.Errorf("instruction %d jumps out of %d", i, len(p))
		}
	}
}
