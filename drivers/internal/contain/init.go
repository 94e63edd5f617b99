package contain

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // its C code enters the namespaces before Go starts

	"github.com/seraihq/serai/drivers/internal/contain/seccomp"
)

// controlFD is where a process inside a new container finds its end of the control socket: the first file that is passed on.
const controlFD = 3

// Init is the part of a container's start that runs inside it: libcontainer executes the binary again as <binary> init. When args (as os.Args) are those,
// Init becomes the task's program and does not return. Call it first thing in main, before anything starts a goroutine or opens a file.
//
// The system call filter comes in here. In a new container it may only be installed after libcontainer has mounted everything, and must be before
// the task's program runs: a thread of ours waits for the word of the driver, which gives it when libcontainer has done all but the last
// step, and installs the filter on all threads. A further process in a container needs no mounts: there it comes first.
func Init(args []string) {
	if len(args) != 2 || args[1] != "init" || os.Getenv("_LIBCONTAINER_INITPIPE") == "" {
		return
	}
	runtime.LockOSThread()
	unix.CloseOnExec(controlFD)
	// A session keyring without a name is nobody else's.
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil && err != unix.ENOSYS {
		fail("session keyring", err)
	}
	switch kind := os.Getenv("_LIBCONTAINER_INITTYPE"); kind {
	case "standard":
		go func() {
			runtime.LockOSThread()
			filter(reopenOutputs)
		}()
	case "setns":
		filter(nil)
	default:
		fail("container start", fmt.Errorf("kind %q is not known", kind))
	}
	libcontainer.Init()
}

// filter reads the filter from the control socket, installs it and says so; before is done when the container is complete. Whatever goes wrong
// ends the process: no task runs unfiltered.
func filter(before func() error) {
	text, err := readAll(controlFD)
	if err != nil {
		fail("system call filter", err)
	}
	if before != nil {
		if err := before(); err != nil {
			fail("the program's outputs", err)
		}
	}
	if string(text) != unfiltered {
		p, err := seccomp.Parse(text)
		if err != nil {
			fail("system call filter", err)
		}
		if err := p.Install(); err != nil {
			fail("system call filter", err)
		}
	}
	if _, err := unix.Write(controlFD, []byte{1}); err != nil {
		fail("system call filter", err)
	}
}

// readAll reads by plain system calls until the other side has shut down its half.
func readAll(fd int) ([]byte, error) {
	var out []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0 && len(out) == 0:
			return nil, io.ErrUnexpectedEOF
		case n == 0:
			return out, nil
		default:
			out = append(out, buf[:n]...)
		}
	}
}

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(255)
}

// control is the driver's end of the control socket.
type control struct{ ours, theirs *os.File }

func newControl() (*control, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	_ = unix.SetNonblock(fds[0], true)
	return &control{ours: os.NewFile(uintptr(fds[0]), "control"), theirs: os.NewFile(uintptr(fds[1]), "control")}, nil
}

// files are what the process in the container is given.
func (c *control) files() []*os.File { return []*os.File{c.theirs} }

// unfiltered is what comes in the place of a filter when there is none. No filter has this length.
const unfiltered = "none"

// send hands the filter over.
func (c *control) send(p seccomp.Program) error {
	text := p.Bytes()
	if len(p) == 0 {
		text = []byte(unfiltered)
	}
	if _, err := c.ours.Write(text); err != nil {
		return fmt.Errorf("system call filter: %w", err)
	}
	conn, err := c.ours.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = unix.Shutdown(int(fd), unix.SHUT_WR) }); err != nil {
		return err
	}
	return inner
}

// installed waits until the filter is in force.
func (c *control) installed() error {
	_ = c.theirs.Close() // so that its end is noticed
	if _, err := c.ours.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("system call filter not installed: %w", err)
	}
	return nil
}

// executed waits until the task's program has taken the place of ours: that closes the other end. It gives up on one that does not.
func (c *control) executed() {
	_ = c.ours.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.ours.Read(make([]byte, 1))
}

func (c *control) Close() {
	_ = c.theirs.Close()
	_ = c.ours.Close()
}
