package contain

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/command"
	"github.com/seraihq/serai/drivers/internal/process"
)

// findInside returns the path of a program in the container of a running process, which looks for it as the task's own program was looked for.
func findInside(id process.Identity, p Process, name string) (string, error) {
	root, err := openTree("/proc/" + strconv.Itoa(id.PID) + "/root")
	if err != nil {
		return "", err
	}
	defer root.close()
	// The number was the process's when its root was opened.
	if now, err := process.Identify(id.PID); err != nil || now != id {
		return "", fmt.Errorf("process %d: %w", id.PID, process.ErrGone)
	}
	if strings.ContainsRune(name, 0) {
		return "", drivers.CommandNotFound(name, "(its name has a zero byte)")
	}
	var candidates []string
	searchPath := command.Value(p.Env, "PATH")
	switch {
	case path.IsAbs(name):
		candidates = []string{name}
	case strings.Contains(name, "/"):
		candidates = []string{path.Join(p.Dir, name)}
	default:
		for _, dir := range filepath.SplitList(searchPath) {
			candidates = append(candidates, path.Join("/", dir, name))
		}
	}
	if p.Local && !path.IsAbs(name) {
		candidates = append([]string{path.Join("/local", name)}, candidates...)
		if strings.Contains(name, "/") {
			candidates = append([]string{path.Join("/", name)}, candidates...)
		}
	}
	for _, c := range candidates {
		err := root.executable(c)
		if err == nil {
			return c, nil
		}
		if strings.Contains(name, "/") && !errors.Is(err, fs.ErrNotExist) {
			return "", drivers.CommandNotExecutable(name, err)
		}
	}
	if strings.Contains(name, "/") {
		return "", drivers.CommandNotFound(name, "inside the task's root")
	}
	return "", drivers.CommandNotFound(name, "in PATH "+searchPath+" inside the task's root")
}
