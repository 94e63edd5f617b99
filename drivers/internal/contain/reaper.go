package contain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// reaperPath is where a container that asks for it finds its first process: a program of a few thousand bytes, without a library, that starts the task's
// own, hands signals on to it, and waits for the orphans of the container; it can hold a terminal for it. See reaper/src.
const reaperPath = "/sbin/serai-init"

// HasReaper is whether containers can have such a first process on this machine.
func HasReaper() bool { return len(reaper) > 0 }

// reaperMount is the mount of the reaper, which is started by reaperPath and the program's own arguments.
func (s *Spec) reaperMount() (Mount, error) {
	switch {
	case !HasReaper():
		return Mount{}, errors.New("init and tty: there is no first process for this kind of processor: remove the option")
	case s.Namespaces.HostPID:
		return Mount{}, errors.New("init and tty do not go with the host's processes: set pid_mode = \"private\"")
	}
	file := filepath.Join(s.Scratch, "reaper")
	if err := os.WriteFile(file, reaper, 0o755); err != nil {
		return Mount{}, fmt.Errorf("first process of the container: %w", err)
	}
	// Whatever the mask of this process is, any user of the container must be able to run it.
	if err := os.Chmod(file, 0o755); err != nil {
		return Mount{}, fmt.Errorf("first process of the container: %w", err)
	}
	return Mount{Host: file, Task: reaperPath, Readonly: true, Plain: true, Unmapped: true}, nil
}
