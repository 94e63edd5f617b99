// Package command finds a task's program and builds its environment. It holds no state.
package command

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/user"
)

// inherited are the variables of the host that a task may see: where programs are, whose home it is, which language and time.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ"}

// Find returns the file to execute for a task on the host: a path as it is (a relative one below the task's directory), a bare name in the task's
// local directory, its directory, or the PATH of its environment. The error is a drivers.StartError with the exit code that shells use.
func Find(name string, dir drivers.TaskDir, searchPath string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", drivers.CommandNotFound(name, "(its name has a zero byte)")
	}
	if filepath.IsAbs(name) {
		return name, executable(name, name, "on this node")
	}
	candidates := []string{filepath.Join(dir.Local, name), filepath.Join(dir.Root, name)}
	if !strings.Contains(name, "/") {
		for _, d := range filepath.SplitList(searchPath) {
			if filepath.IsAbs(d) {
				candidates = append(candidates, filepath.Join(d, name))
			}
		}
	}
	for _, c := range candidates {
		err := executable(name, c, "")
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && strings.Contains(name, "/") {
			return "", err
		}
	}
	return "", drivers.CommandNotFound(name, "in the task's directory or in PATH "+searchPath)
}

func executable(name, file, where string) error {
	st, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid):
		if where == "" {
			return fs.ErrNotExist
		}
		return drivers.CommandNotFound(name, where)
	case err != nil:
		return drivers.CommandNotExecutable(name, err)
	case st.IsDir():
		return drivers.CommandNotExecutable(name, errors.New("it is a directory"))
	case st.Mode()&0o111 == 0:
		return drivers.CommandNotExecutable(name, errors.New("it has no execute permission: chmod +x it"))
	}
	return nil
}

// Environ is the environment of a task on the host: the few variables it inherits (without those that match a denied pattern), those that say
// who it is when it runs as another user than the agent, and its own on top.
func Environ(own map[string]string, denied []string, as *user.Credentials) ([]string, error) {
	merged := map[string]string{}
	for _, k := range inherited {
		if v, ok := os.LookupEnv(k); ok && !matches(denied, k) {
			merged[k] = v
		}
	}
	if as != nil {
		maps.DeleteFunc(merged, func(k, _ string) bool { return k == "HOME" || k == "USER" || k == "LOGNAME" || k == "SHELL" })
		if as.Name != "" {
			merged["HOME"], merged["USER"], merged["LOGNAME"] = as.Home, as.Name, as.Name
		}
	}
	maps.Copy(merged, own)
	return List(merged)
}

// List writes an environment as the kernel wants it, in order. Names and values that cannot be written are an error.
func List(env map[string]string) ([]string, error) {
	out := make([]string, 0, len(env))
	for k, v := range env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) {
			return nil, fmt.Errorf("environment variable %q: names may not be empty or hold =, and nothing may hold a zero byte", k)
		}
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out, nil
}

// Value returns a variable of a list made by List.
func Value(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}
