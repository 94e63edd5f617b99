package exec_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// A task opens the device nodes that it was given and no others.
func TestDevices(t *testing.T) {
	d := driver(t, nil)
	dir := t.TempDir()
	given, other := filepath.Join(dir, "given"), filepath.Join(dir, "other")
	for path, minor := range map[string]uint32{given: 7, other: 11} { // full and kmsg
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			t.Skipf("not here: %v", err)
		}
		_ = os.Chmod(path, 0o666)
	}
	r := newRun(t, d, "test -c /dev/given && echo there; test -e /dev/other || echo missing; head -c 1 /dev/given | wc -c")
	r.task.Devices = []drivers.Device{{HostPath: given, TaskPath: "/dev/given", Permissions: "rw"}}
	r.finish()
	r.expect("there", "missing", "1")
}

// transcript collects output that is looked at meanwhile.
type transcript struct {
	mu  sync.Mutex
	all strings.Builder
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
