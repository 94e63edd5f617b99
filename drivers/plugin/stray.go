package plugin

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers/internal/process"
)

// dirVariable tells a driver's process, and those who look for it, which agent started it: by that one's directory.
const dirVariable = "SERAI_DRIVER_DIR"

// EndStrays ends processes of this command that an agent with the same directory has started and not written down, because it was killed before it
// could: nobody would ever find them again. kept is the Reattachment of the one that was written down, or nothing. It returns their numbers.
//
// Processes that a driver itself has started, with the same program and environment, have other arguments.
func EndStrays(opts Options, kept []byte) []int {
	var known reattach
	_ = json.Unmarshal(kept, &known) // without it there is none
	command := strings.Join(append([]string{opts.Path}, opts.Args...), "\x00") + "\x00"
	var ended []int
	list, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range list {
		pid, err := strconv.Atoi(filepath.Base(proc))
		if err != nil || pid == os.Getpid() || !isStray(proc, command, opts.Dir) {
			continue
		}
		id, err := process.Identify(pid)
		if err != nil || id == known.Process {
			continue
		}
		p, err := process.Open(id)
		if err != nil {
			continue
		}
		if isStray(proc, command, opts.Dir) && p.Signal(unix.SIGKILL) == nil {
			ended = append(ended, pid)
		}
		_ = p.Close()
	}
	return ended
}

func isStray(proc, command, dir string) bool {
	line, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil || string(line) != command {
		return false
	}
	env, err := os.ReadFile(filepath.Join(proc, "environ"))
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+dirVariable+"="+dir+"\x00"))
}
