package container

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/internal/cgroup"
)

// The test binary is also what libcontainer runs inside containers, and, by this name in an image, a task that tries forbidden system calls.
func TestMain(m *testing.M) {
	contain.Init(os.Args)
	if filepath.Base(os.Args[0]) == "probe" {
		probe()
		return
	}
	runtime.LockOSThread() // as a driver's host does
	code := m.Run()
	if left := leftovers(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "left behind: %v\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftovers are what this package's tests must not leave on the machine.
func leftovers() []string {
	var out []string
	if l, err := cgroup.Find(); err == nil {
		for _, parent := range l.Parents {
			found, _ := filepath.Glob(filepath.Join(parent, "container-test*"))
			out = append(out, found...)
		}
	}
	for _, pattern := range []string{"/run/serai/container/container-test*", "/run/serai/container-files/container-test*"} {
		found, _ := filepath.Glob(pattern)
		out = append(out, found...)
	}
	if table, err := os.ReadFile("/proc/self/mountinfo"); err == nil && strings.Contains(string(table), "/run/serai/stage") {
		out = append(out, "mounts on the stage")
	}
	return out
}

// fakeStore serves images that tests have made.
type fakeStore struct {
	mu        sync.Mutex
	images    map[string]*image.Image
	owners    map[string]string
	asked     []image.Request
	collected []image.CollectOptions
	// unused images are what the next Collect removes, and with them err.
	unused []string
	err    error
}

func (f *fakeStore) Acquire(_ context.Context, owner string, req image.Request, progress func(image.Progress)) (*image.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, req)
	if f.err != nil {
		return nil, fmt.Errorf("image %s: %w", req.Ref, f.err)
	}
	img, ok := f.images[req.Ref]
	if !ok {
		return nil, fmt.Errorf("image %s: %w", req.Ref, image.ErrNotFound)
	}
	progress(image.Progress{Phase: image.PhasePull, Layers: len(img.Layers)})
	f.owners[owner] = req.Ref
	return img, nil
}

func (f *fakeStore) Release(_ context.Context, owner string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.owners, owner)
	return nil
}

func (f *fakeStore) Close() error { return nil }

func (f *fakeStore) Owners(context.Context) (out []image.Owner, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, ref := range f.owners {
		out = append(out, image.Owner{Name: name, Image: ref, Since: time.Now().Add(-2 * ownerPatience)})
	}
	return out, nil
}

func (f *fakeStore) Collect(_ context.Context, o image.CollectOptions) (image.Collected, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.collected = append(f.collected, o)
	gone := image.Collected{Images: f.unused}
	if len(f.unused) > 0 {
		f.unused, f.err = nil, nil
	}
	return gone, nil
}

// world is a driver, its images and their files.
type world struct {
	t     testing.TB
	d     *Driver
	store *fakeStore
	// root is the lowest layer of the image "busybox".
	root string
}

func newWorld(t testing.TB, raw map[string]any) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not here: containers need root")
	}
	if l, err := cgroup.Find(); err != nil || l.Version == 0 {
		t.Skip("not here: containers need control groups")
	}
	if why := contain.LayersUnsupported(); why != "" {
		t.Skip("not here: " + why)
	}
	w := &world{t: t, store: &fakeStore{images: map[string]*image.Image{}, owners: map[string]string{}}, root: busybox(t)}
	w.d = New(slog.New(slog.DiscardHandler))
	w.d.open = func(config, *slog.Logger) (images, error) { return w.store, nil }
	if err := w.d.Configure(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	w.image("busybox", image.Config{Cmd: []string{"sh"}, Env: []string{"PATH=/bin:/usr/bin", "FROM_IMAGE=yes"}}, w.root)
	t.Cleanup(func() {
		if len(w.store.owners) > 0 {
			t.Errorf("images are still owned: %v", w.store.owners)
		}
	})
	return w
}

// image puts an image of these layers, lowest first, in the store.
func (w *world) image(ref string, c image.Config, layers ...string) {
	w.store.images[ref] = &image.Image{ID: "sha256:" + ref, Ref: "docker.io/library/" + ref, Config: c, Layers: layers}
}

// layer is an empty directory with these files; a text "-> x" makes a link to x, a name that ends in / a directory.
func layer(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	_ = os.Chmod(dir, 0o755)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch target, link := strings.CutPrefix(text, "-> "); {
		case link:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// busybox is a layer with Debian's static busybox.
func busybox(t testing.TB) string {
	t.Helper()
	file, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("not here: images are made from busybox-static: run make test-deps")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := layer(t, map[string]string{"bin/busybox": string(b), "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n",
		"etc/group": "root:x:0:\nweb:x:1001:\nlogs:x:1002:web,other\n", "tmp/": "", "root/": "", "home/web/": ""})
	_ = os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky)
	for _, name := range strings.Fields("sh cat ls echo id sleep touch mount umount mkdir rm ln grep head tail env pwd hostname kill wc mknod unshare chroot dd stat test true false tr cut seq find readlink ulimit df ps nc wget httpd printf chmod chown dmesg stty tty sort ip awk sed") {
		if err := os.Link(filepath.Join(dir, "bin/busybox"), filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run is one task and what it said.
type run struct {
	*world
	task *drivers.TaskConfig
	out  output
	done chan struct{}
	fifo *os.File

	drained sync.Once
}

// output is a buffer for several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// collect reads until a zero byte.
func (o *output) collect(f io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		text, _, end := bytes.Cut(buf[:n], []byte{0})
		_, _ = o.Write(text)
		if end || err != nil {
			return
		}
	}
}

// script is a task that runs a shell script in the image.
func (w *world) script(text string) *run {
	r := w.run(map[string]any{"command": "sh", "args": []any{"-c", text}})
	return r
}

func (w *world) run(config map[string]any) *run {
	w.t.Helper()
	dir := w.t.TempDir()
	for p := dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o755)
	}
	if config["image"] == nil {
		config["image"] = "busybox"
	}
	fifo := filepath.Join(dir, "out.fifo")
	r := &run{world: w, task: &drivers.TaskConfig{ID: "container-test/" + rand.Text(), Name: "web", AllocID: "0a1b2c3d-0000", AllocDir: dir,
		Env: map[string]string{"NOMAD_ALLOC_DIR": "/alloc"}, Resources: drivers.Resources{CPUShares: 200, MemoryMB: 128},
		StdoutPath: fifo, StderrPath: fifo, Config: config}}
	td := r.task.TaskDir()
	for _, p := range []string{td.Local, td.Secrets, td.Tmp, td.Alloc} {
		if err := os.MkdirAll(p, 0o777); err != nil {
			w.t.Fatal(err)
		}
		_ = os.Chmod(p, 0o777)
	}
	if err := os.Mkdir(td.Private, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// start starts the task and collects what it says.
func (r *run) start() *run {
	r.t.Helper()
	if err := r.try(); err != nil {
		r.t.Fatalf("start: %v", err)
	}
	return r
}

func (r *run) try() error {
	r.t.Helper()
	f, err := os.OpenFile(r.task.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	r.fifo, r.done = f, make(chan struct{})
	go func() { defer close(r.done); r.out.collect(f) }()
	r.t.Cleanup(r.close)
	_, err = r.d.Start(r.t.Context(), r.task)
	return err
}

// close ends the task and looks for what it has left.
func (r *run) close() {
	if err := r.d.Destroy(context.Background(), r.task.ID, true); err != nil {
		r.t.Errorf("destroy: %v", err)
	}
	r.drain()
	_ = r.fifo.Close()
	if left, _ := os.ReadDir(r.task.TaskDir().Private); len(left) > 0 {
		r.t.Errorf("left in the private directory: %v", left)
	}
}

// finish runs the task to its end.
func (r *run) finish() drivers.ExitResult {
	r.t.Helper()
	r.start()
	return r.wait()
}

func (r *run) wait() drivers.ExitResult {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	res, err := r.d.Wait(ctx, r.task.ID)
	if err != nil {
		r.t.Errorf("wait: %v", err)
	}
	r.drain()
	return res
}

// drain waits until all that the task has said is read: the byte that we put behind it has come.
func (r *run) drain() {
	r.drained.Do(func() { _, _ = r.fifo.Write([]byte{0}); <-r.done })
}

// expect runs the task to its end and looks for these parts in what it said.
func (r *run) expect(parts ...string) {
	r.t.Helper()
	res := r.finish()
	out := r.out.String()
	for _, p := range parts {
		if !strings.Contains(out, p) {
			r.t.Errorf("no %q in (%+v):\n%s", p, res, out)
		}
	}
}

// until waits for a part of what a running task says.
func (r *run) until(part string) {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(r.out.String(), part) {
		if time.Now().After(deadline) {
			r.t.Fatalf("no %q in:\n%s", part, r.out.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// refused starts a task that must not start.
func (r *run) refused(want string) {
	r.t.Helper()
	err := r.try()
	if err == nil || !strings.Contains(err.Error(), want) {
		r.t.Errorf("%v: %v, want %q", r.task.Config, err, want)
	}
	if drivers.IsRecoverable(err) {
		r.t.Errorf("%v counts as recoverable", err)
	}
}
