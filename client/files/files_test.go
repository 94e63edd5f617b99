package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// tree makes an allocation's directory and, beside it, what must stay unseen.
func tree(t *testing.T) (dir, outside string) {
	t.Helper()
	base := t.TempDir()
	dir, outside = filepath.Join(base, "alloc1"), filepath.Join(base, "host")
	for _, d := range []string{"alloc/data", "alloc/logs", "web/local", "web/secrets"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(outside, "shadow"), "SENTINEL")
	write(t, filepath.Join(dir, "web/secrets/token"), "SENTINEL")
	write(t, filepath.Join(dir, "alloc/data/file"), "hello")
	return dir, outside
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func root(t *testing.T, dir string) *Root {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestEscapeKinds(t *testing.T) {
	dir, outside := tree(t)
	r := root(t, dir)
	if _, err := r.Guard("web/secrets"); err != nil {
		t.Fatal(err)
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("file", "alloc/data/near")
	link("../../alloc/data", "web/local/shared")
	link("../../../host/shadow", "web/local/far")
	link(outside+"/shadow", "web/local/absolute")
	link("../secrets", "web/local/peek")
	link("loop", "web/local/loop")
	link("/proc/self/root", "web/local/magic")
	if err := unix.Mkfifo(filepath.Join(dir, "web/local/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path string
		kind error // nil: reads "hello"
	}{
		{"alloc/data/file", nil},
		{"/alloc//data/./file", nil},
		{"alloc/data/../data/file", nil},
		{"alloc/data/near", nil},
		{"web/local/shared/file", nil},
		{"web/local/shared/../file", api.ErrNotFound},
		{"alloc/data", api.ErrInvalid},
		{"", api.ErrInvalid},
		{"alloc/data/none", api.ErrNotFound},
		{"alloc/data/file/x", api.ErrInvalid},
		{"../host/shadow", api.ErrDenied},
		{"alloc/../../host/shadow", api.ErrDenied},
		{"web/local/far", api.ErrDenied},
		{"web/local/absolute", api.ErrDenied},
		{"web/local/loop", api.ErrDenied},
		{"web/local/magic/etc/passwd", api.ErrDenied},
		{"web/secrets/token", api.ErrDenied},
		{"web/secrets", api.ErrDenied},
		{"web/secrets/none", api.ErrDenied},
		{"web/./secrets//token", api.ErrDenied},
		{"web/local/peek/token", api.ErrDenied},
		{"web/local/fifo", api.ErrInvalid},
		{"alloc/data/fi\x00le", api.ErrInvalid},
		{strings.Repeat("a", 300), api.ErrInvalid},
		{strings.Repeat("alloc/../", 300) + "alloc/data/file", api.ErrInvalid},
	} {
		f, _, err := r.OpenFile(test.path)
		if test.kind != nil {
			if !errors.Is(err, test.kind) {
				t.Errorf("%.60q: %v, want kind %v", test.path, err, test.kind)
			}
			if err == nil {
				f.Close()
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", test.path, err)
			continue
		}
		if b, _ := io.ReadAll(f); string(b) != "hello" {
			t.Errorf("%q: %q", test.path, b)
		}
		f.Close()
	}
}

// What holds secrets is known by what it is, not by its name.
func TestEscapeGuard(t *testing.T) {
	dir, _ := tree(t)
	r := root(t, dir)
	id, err := r.Guard("web/secrets")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "web/secrets"), filepath.Join(dir, "web/local/harmless")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.OpenFile("web/local/harmless/token"); !errors.Is(err, api.ErrDenied) {
		t.Errorf("renamed: %v", err)
	}
	other, err := Open(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.List("web/local/harmless"); !errors.Is(err, api.ErrDenied) {
		t.Errorf("renamed, opened anew: %v", err)
	}
}

// A task swaps a file and a directory for links out of the allocation as fast
// as it can, while readers read.
func TestEscapeSwapRace(t *testing.T) {
	dir, outside := tree(t)
	r := root(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "alloc/data/d"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "alloc/data/d/shadow"), "hello")
	write(t, filepath.Join(dir, "alloc/data/f"), "hello")
	stop := make(chan struct{})
	var swapper, readers sync.WaitGroup
	swapper.Go(func() {
		file, d := filepath.Join(dir, "alloc/data/f"), filepath.Join(dir, "alloc/data/d")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			os.Symlink(outside+"/shadow", file+".new")
			os.Rename(file+".new", file)
			os.Rename(d, d+".kept")
			os.Symlink("../../../host", d)
			os.WriteFile(file+".new", []byte("hello"), 0o644)
			os.Rename(file+".new", file)
			os.Remove(d)
			os.Rename(d+".kept", d)
		}
	})
	for range 4 {
		readers.Go(func() {
			for range 3000 {
				for _, path := range []string{"alloc/data/f", "alloc/data/d/shadow"} {
					f, _, err := r.OpenFile(path)
					if err == nil {
						b, _ := io.ReadAll(f)
						f.Close()
						if bytes.Contains(b, []byte("SENTINEL")) {
							t.Errorf("%s: read from outside", path)
							return
						}
					}
				}
				infos, err := r.List("alloc/data/d")
				for _, info := range infos {
					if err == nil && info.Size == int64(len("SENTINEL")) {
						t.Errorf("listed from outside: %+v", info)
						return
					}
				}
			}
		})
	}
	readers.Go(func() { // and packs it all, as for another node
		for range 100 {
			var packed bytes.Buffer
			_ = r.Archive(t.Context(), &packed, "alloc/data")
			if bytes.Contains(packed.Bytes(), []byte("SENTINEL")) {
				t.Error("packed from outside")
				return
			}
		}
	})
	readers.Wait()
	close(stop)
	swapper.Wait()
}

// What stands in the place of a FIFO is not opened as one, whatever it is and however fast it changes.
func TestEscapeFIFO(t *testing.T) {
	dir, outside := tree(t)
	r := root(t, dir)
	path := filepath.Join(dir, "alloc/data/fifo")
	change := []func() error{
		func() error { return os.WriteFile(path+".new", []byte("hello"), 0o666) },
		func() error { return os.Symlink(outside+"/shadow", path+".new") },
		func() error { return os.Link(outside+"/shadow", path+".new") },
		func() error { return os.Mkdir(path+".new", 0o777) },
		func() error { return unix.Mkfifo(path+".new", 0o666) },
	}
	for i, make := range change[:len(change)-1] {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if f, err := r.OpenFIFO("alloc/data/fifo"); err == nil {
			t.Errorf("%d was opened", i)
			f.Close()
		}
		os.RemoveAll(path)
	}
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = change[i%len(change)]()
			_ = os.Rename(path+".new", path)
			_ = os.RemoveAll(path + ".new")
		}
	})
	for range 3000 {
		f, err := r.OpenFIFO("alloc/data/fifo")
		if err != nil {
			continue
		}
		if st, err := f.Stat(); err != nil || st.Mode()&fs.ModeNamedPipe == 0 {
			t.Errorf("opened %v %v", st.Mode(), err)
		}
		f.Close()
	}
	close(stop)
	swapper.Wait()
}

func TestEscapeWrites(t *testing.T) {
	dir, outside := tree(t)
	r := root(t, dir)
	host := filepath.Join(outside, "shadow")
	check := func(what string) {
		t.Helper()
		if b, err := os.ReadFile(host); err != nil || string(b) != "SENTINEL" {
			t.Errorf("%s: the host's file: %q %v", what, b, err)
		}
	}
	target := filepath.Join(dir, "web/local/out")
	if err := os.Symlink(host, target); err != nil {
		t.Fatal(err)
	}
	if f, _, err := r.OpenWrite("web/local/out", 0o644); err == nil {
		f.Close()
		t.Error("a link was opened for writing")
	}
	if err := r.WriteFile("web/local/out", []byte("new"), 0o600, -1, -1); err != nil {
		t.Error(err)
	}
	check("WriteFile")
	if b, _ := os.ReadFile(target); string(b) != "new" {
		t.Errorf("WriteFile: %q", b)
	}
	os.Remove(target)
	if err := os.Symlink(outside, target); err != nil {
		t.Fatal(err)
	}
	if err := r.Mkdir("web/local/out", 0o700, -1, -1); err == nil {
		t.Error("Mkdir took a link for a directory")
	}
	if err := r.Mkdir("web/local/out/sub", 0o700, -1, -1); !errors.Is(err, api.ErrDenied) {
		t.Errorf("Mkdir beneath a link: %v", err)
	}
	if err := r.RemoveAll("web/local"); err != nil {
		t.Error(err)
	}
	check("RemoveAll")
}

func TestStreamFollows(t *testing.T) {
	dir, _ := tree(t)
	r := root(t, dir)
	path := filepath.Join(dir, "alloc/data/file")
	frames := make(chan *api.StreamFrame)
	end := make(chan error)
	go func() {
		end <- r.Stream(t.Context(), "alloc/data/file", StreamOptions{Offset: 2, Follow: true}, func(f *api.StreamFrame) error {
			frames <- f
			return nil
		})
	}()
	next := func() *api.StreamFrame {
		for f := range frames {
			if f.Data != nil || f.FileEvent != "" {
				return f
			}
		}
		return nil
	}
	if f := next(); string(f.Data) != "llo" || f.Offset != 5 {
		t.Errorf("first frame %+v", f)
	}
	w, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.WriteString(" world")
	if f := next(); string(f.Data) != " world" || f.Offset != 11 {
		t.Errorf("appended: %+v", f)
	}
	w.Truncate(0)
	if f := next(); f.FileEvent != EventTruncated {
		t.Errorf("truncated: %+v", f)
	}
	os.Remove(path)
	if f := next(); f.FileEvent != EventDeleted {
		t.Errorf("deleted: %+v", f)
	}
	if err := <-end; err != nil {
		t.Error(err)
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	dir, _ := tree(t)
	r := root(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	err := r.Stream(ctx, "alloc/data/file", StreamOptions{Follow: true}, func(*api.StreamFrame) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
