package landlock

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestRules holds one thread, and a program that it starts, to one directory; the rest of the process goes on as before.
func TestRules(t *testing.T) {
	if Version() == 0 {
		t.Skip("not here: " + ErrUnavailable.Error())
	}
	readable, writable, other := t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{readable, writable, other} {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	one, err := os.Open(filepath.Join(other, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	type outcome struct {
		what string
		err  error
		ok   bool
	}
	var got []outcome
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its rules
		done <- func() error {
			rules, err := New()
			if err != nil {
				return err
			}
			defer rules.Close()
			for _, dir := range []string{"/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/no/such/path"} {
				if err := rules.Allow(dir, Read|Execute); err != nil {
					return err
				}
			}
			if err := errors.Join(rules.Allow("/dev/null", Read|Write), rules.Allow(readable, Read), rules.Allow(writable, Read|Write), rules.Enter()); err != nil {
				return err
			}
			try := func(what string, ok bool, err error) { got = append(got, outcome{what, err, ok}) }
			_, err = os.ReadFile(filepath.Join(readable, "file"))
			try("read", true, err)
			try("write where it may read", false, os.WriteFile(filepath.Join(readable, "file"), nil, 0))
			try("write", true, os.WriteFile(filepath.Join(writable, "new"), nil, 0o600))
			try("make a pipe", false, exec.Command("/usr/bin/mkfifo", filepath.Join(writable, "pipe")).Run())
			try("link", false, os.Symlink("x", filepath.Join(writable, "link")))
			_, err = os.ReadFile(filepath.Join(other, "file"))
			try("read elsewhere", false, err)
			_, err = os.ReadDir(other)
			try("list elsewhere", false, err)
			try("read elsewhere, by a program", false, exec.Command("/bin/cat", filepath.Join(other, "file")).Run())
			try("read, by a program", true, exec.Command("/bin/cat", filepath.Join(readable, "file")).Run())
			_, err = one.Read(make([]byte, 1))
			try("read what was open", true, err)
			return nil
		}()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, o := range got {
		if (o.err == nil) != o.ok {
			t.Errorf("%s: %v", o.what, o.err)
		}
		if exit := new(exec.ExitError); !o.ok && !errors.Is(o.err, fs.ErrPermission) && !errors.As(o.err, &exit) {
			t.Errorf("%s: %v", o.what, o.err)
		}
	}
	if _, err := os.ReadFile(filepath.Join(other, "file")); err != nil {
		t.Errorf("the rest of the process is held too: %v", err)
	}
}
