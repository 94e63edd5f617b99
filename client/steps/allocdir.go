package steps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
)

// AllocDir makes the directory that an allocation's tasks share:
// <alloc>/alloc/{data,logs,tmp}. It stays until the allocation is collected.
type AllocDir struct{}

// Name implements Step.
func (AllocDir) Name() string { return "alloc_dir" }

// Up implements Step.
func (AllocDir) Up(_ context.Context, in *In) (Result, error) {
	if err := os.Mkdir(in.Dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make %s: %w", in.Dir, err)
	}
	// Users of tasks must be able to pass, nobody may list; whatever the umask says.
	if err := os.Chmod(in.Dir, 0o711); err != nil {
		return nil, err
	}
	root, err := files.Open(in.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, d := range []struct {
		path string
		mode fs.FileMode
	}{
		{"alloc", 0o755},
		{"alloc/data", 0o777},
		{"alloc/logs", 0o755}, // the agent alone writes there
		{"alloc/tmp", 0o777 | fs.ModeSticky},
	} {
		if err := root.Mkdir(d.path, d.mode, -1, -1); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Down implements Step: what tasks left is kept for people to look at.
func (AllocDir) Down(context.Context, *In, Result) error { return nil }

// RemoveAll removes an allocation's directory with all that is mounted in it.
// What these tasks' steps mounted is known; only when something else is in the
// way are the mounts of the whole machine looked through.
func RemoveAll(dir string, tasks ...string) error {
	root, err := files.Open(filepath.Dir(dir))
	if errors.Is(err, api.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.Base(dir)
	for _, task := range tasks {
		// What stays keeps the directory from being removed, and is told then.
		_ = unmountSecrets(root, name+"/"+task+"/secrets")
	}
	if err = root.RemoveAll(name); err == nil || !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := unmountBeneath(dir); err != nil {
		return err
	}
	return root.RemoveAll(name)
}
