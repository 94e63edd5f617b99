package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// counting counts how often blobs are fetched.
func counting(h *hub, gate <-chan struct{}) *sync.Map {
	var seen sync.Map
	h.first(func(_ http.ResponseWriter, r *http.Request) bool {
		if i := strings.Index(r.URL.Path, "/blobs/"); i >= 0 && r.Method == http.MethodGet {
			n, _ := seen.LoadOrStore(r.URL.Path[i+7:], new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
			if gate != nil {
				select {
				case <-gate:
				case <-r.Context().Done():
				}
			}
		}
		return false
	})
	return &seen
}

func times(seen *sync.Map, l v1.Layer) int64 {
	d, _ := l.Digest()
	n, ok := seen.Load(d.String())
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

// Many ask for images that share a layer, in two stores on one directory, as two
// processes would: it is fetched once.
func TestSharedLayerIsFetchedOnce(t *testing.T) {
	h := newHub(t)
	shared := layerOf(t, reg("base", "x"))
	var refs []string
	for i := range 4 {
		refs = append(refs, h.push(imageOf(t, shared, layerOf(t, reg("own", fmt.Sprint(i)))), fmt.Sprintf("app:v%d", i)))
	}
	seen := counting(h, nil)
	dir := t.TempDir()
	stores := []*Store{openStore(t, dir, Options{}), openStore(t, dir, Options{})}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			img, err := stores[i%2].Acquire(t.Context(), fmt.Sprint("owner", i), Request{Ref: refs[i%4]}, nil)
			if err != nil || len(img.Layers) != 2 {
				t.Errorf("%+v %v", img, err)
			}
		})
	}
	all.Wait()
	if n := times(seen, shared); n != 1 {
		t.Errorf("the shared layer was fetched %d times", n)
	}
	idle(t, stores[0])
}

// One who leaves takes nothing from the others; when all have left, the work ends.
func TestCancelOneOfTwo(t *testing.T) {
	h := newHub(t)
	layer := layerOf(t, reg("f", "x"))
	ref := h.push(imageOf(t, layer), "app:1")
	gate := make(chan struct{})
	seen := counting(h, gate)
	s := openStore(t, t.TempDir(), Options{})
	acquire := func(ctx context.Context, owner string) chan error {
		out := make(chan error, 1)
		go func() {
			_, err := s.Acquire(ctx, owner, Request{Ref: ref}, nil)
			out <- err
		}()
		return out
	}
	waiting := func(n int) {
		for {
			s.images.mu.Lock()
			got := 0
			for _, f := range s.images.all {
				got = f.waiters
			}
			s.images.mu.Unlock()
			if got == n {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	first, leave := context.WithCancel(t.Context())
	a := acquire(first, "a")
	waiting(1)
	b := acquire(t.Context(), "b")
	waiting(2)
	leave()
	if err := <-a; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gate)
	if err := <-b; err != nil {
		t.Error(err)
	}
	if n := times(seen, layer); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	// Alone: nothing goes on.
	other := h.push(imageOf(t, layerOf(t, reg("f", "y"))), "app:2")
	ref, gate = other, make(chan struct{})
	counting(h, gate)
	alone, leave := context.WithCancel(t.Context())
	c := acquire(alone, "c")
	waiting(1)
	leave()
	if err := <-c; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gate)
	idle(t, s)
}

func TestCollect(t *testing.T) {
	h := newHub(t)
	shared := layerOf(t, reg("base", "x"))
	kept, gone := imageOf(t, shared, layerOf(t, reg("a", "1"))), imageOf(t, shared, layerOf(t, reg("b", "2")))
	keptRef, goneRef := h.push(kept, "kept:1"), h.push(gone, "gone:1")
	s := openStore(t, t.TempDir(), Options{})
	held, err := s.Acquire(t.Context(), "o1", Request{Ref: keptRef}, nil)
	must(t, err)
	loose, err := s.Acquire(t.Context(), "o2", Request{Ref: goneRef}, nil)
	must(t, err)
	if c, err := s.Collect(t.Context(), CollectOptions{}); err != nil || len(c.Images) != 0 || c.Layers != 0 {
		t.Errorf("in use: %+v %v", c, err)
	}
	must(t, s.Release(t.Context(), "o2"))
	if c, err := s.Collect(t.Context(), CollectOptions{MaxAge: time.Hour, MinFree: 1}); err != nil || len(c.Images) != 0 {
		t.Errorf("young: %+v %v", c, err)
	}
	c, err := s.Collect(t.Context(), CollectOptions{MaxAge: -1, MinFree: 1 << 60})
	if err != nil || len(c.Images) != 1 || c.Images[0] != loose.ID || c.Layers != 1 {
		t.Errorf("%+v %v", c, err)
	}
	for _, dir := range held.Layers {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(loose.Layers[1]); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	idle(t, s)
	// It comes back.
	if _, err := s.Acquire(t.Context(), "o3", Request{Ref: goneRef}, nil); err != nil {
		t.Error(err)
	}
	// What is held stays although its record is lost.
	must(t, os.Remove(s.path(imagesDir, strings.TrimPrefix(held.ID, "sha256:")+".json")))
	must(t, s.Release(t.Context(), "o3"))
	if _, err := s.Collect(t.Context(), CollectOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(held.Layers[1]); err != nil {
		t.Error(err)
	}
}

// Acquire and Collect at the same time: what was given is there.
func TestCollectRace(t *testing.T) {
	h := newHub(t)
	ref := h.push(imageOf(t, layerOf(t, reg("f", "x"))), "app:1")
	s := openStore(t, t.TempDir(), Options{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if _, err := s.Collect(ctx, CollectOptions{}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 15 {
				owner := fmt.Sprint(w, "-", i)
				img, err := s.Acquire(t.Context(), owner, Request{Ref: ref}, nil)
				if err != nil {
					t.Error(err)
					continue
				}
				if _, err := os.Stat(filepath.Join(img.Layers[0], "f")); err != nil {
					t.Error(err)
				}
				if err := s.Release(t.Context(), owner); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	stop()
	<-done
}

// killed runs a child that dies in the middle of a pull.
func TestKilledPullLeavesNothing(t *testing.T) {
	if dir := os.Getenv("SERAI_TEST_STORE"); dir != "" {
		s, err := Open(dir, Options{})
		must(t, err)
		_, err = s.Acquire(context.Background(), "child", Request{Ref: os.Getenv("SERAI_TEST_REF")}, nil)
		t.Fatal(err)
	}
	h := newHub(t)
	layer := layerOf(t, reg("f", "x"))
	ref := h.push(imageOf(t, layer), "app:1")
	id, err := layer.Digest()
	must(t, err)
	arrived := make(chan struct{}, 1)
	whole := readLayer(t, layer)
	blob := slices.Clone(whole)
	h.first(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, id.String()) {
			return false
		}
		w.Write(blob[:len(blob)/2])
		w.(http.Flusher).Flush()
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	})
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledPullLeavesNothing$")
	child.Env = append(os.Environ(), "SERAI_TEST_STORE="+dir, "SERAI_TEST_REF="+ref)
	must(t, child.Start())
	<-arrived
	// A store that is opened meanwhile leaves it alone.
	other := openStore(t, dir, Options{})
	if left, _ := filepath.Glob(other.path(workDir, "*")); len(left) == 0 {
		t.Error("the work of a living process was removed")
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	s := openStore(t, dir, Options{})
	idle(t, s)
	if layers, _ := filepath.Glob(s.path(layersDir, "*")); len(layers) > 0 {
		t.Errorf("%v is taken for whole", layers)
	}
	h.first(nil)
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); err != nil {
		t.Error(err)
	}
}

// After a loss of power, only what was written for certain counts.
func TestRebootDropsUnsynced(t *testing.T) {
	h := newHub(t)
	ref := h.push(imageOf(t, layerOf(t, reg("f", "x")), layerOf(t, reg("g", "y"))), "app:1")
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	img, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil)
	must(t, err)
	must(t, s.Close())
	for i, l := range img.Layers {
		layer := filepath.Dir(l)
		if _, err := os.Stat(filepath.Join(layer, layerSynced)); err != nil {
			t.Errorf("not marked as safe: %v", err)
		}
		must(t, writeRecord(filepath.Join(layer, layerFile), layerRecord{Boot: "earlier"}))
		if i == 1 {
			must(t, os.Remove(filepath.Join(layer, layerSynced)))
		}
	}
	s = openStore(t, dir, Options{})
	if _, err := os.Stat(img.Layers[0]); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(img.Layers[1]); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); err != nil {
		t.Error(err)
	}
}

// A disk that becomes full in the middle.
func TestNoSpace(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small filesystem cannot be mounted here: %v", err)
	}
	defer unix.Unmount(small, unix.MNT_DETACH)
	h := newHub(t)
	content := make([]byte, 6<<20)
	for i := range content {
		content[i] = byte(i>>3) | 1
	}
	ref := h.push(imageOf(t, layerOf(t, reg("big", string(content)))), "app:1")
	s := openStore(t, filepath.Join(small, "images"), Options{Limits: Limits{Spare: 1}})
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); !errors.Is(err, ErrNoSpace) || !Recoverable(err) {
		t.Error(err)
	}
	idle(t, s)
	if free, _, err := s.free(); err != nil || free < 3<<20 {
		t.Errorf("%d bytes are free, %v", free, err)
	}
	spare := openStore(t, filepath.Join(small, "images"), Options{Limits: Limits{Spare: gib}})
	if _, err := spare.Acquire(t.Context(), "o", Request{Ref: ref}, nil); !errors.Is(err, ErrNoSpace) {
		t.Error(err)
	}
}

func TestCompressions(t *testing.T) {
	h := newHub(t)
	plain := tarOf(t, reg("f", strings.Repeat("content", 1000)))
	z, err := zstd.NewWriter(nil)
	must(t, err)
	layers := []v1.Layer{sent(plain, plain), sent(z.EncodeAll(plain, nil), plain), sent(gzipped(t, plain), plain)}
	must(t, z.Close())
	for i, l := range layers {
		ref := h.push(imageOf(t, l), fmt.Sprintf("app:%d", i))
		s := openStore(t, t.TempDir(), Options{})
		img, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil)
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		if st, err := os.Stat(filepath.Join(img.Layers[0], "f")); err != nil || st.Size() != 7000 {
			t.Errorf("%d: %v", i, err)
		}
	}
	// A bomb: little on the wire, much on the disk.
	bomb := tarOf(t, reg("f", strings.Repeat("\x00", 32<<20)))
	ref := h.push(imageOf(t, sent(gzipped(t, bomb), bomb)), "bomb:1")
	s := openStore(t, t.TempDir(), Options{Limits: Limits{Layer: mib}})
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	many := make([]v1.Layer, 5)
	for i := range many {
		many[i] = layerOf(t, reg("f", fmt.Sprint(i)))
	}
	ref = h.push(imageOf(t, many...), "many:1")
	s = openStore(t, t.TempDir(), Options{Limits: Limits{Layers: 4}})
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestLoad(t *testing.T) {
	root := t.TempDir()
	one, two := imageOf(t, layerOf(t, reg("f", "one"))), imageOf(t, layerOf(t, reg("f", "two")))
	tag := func(s string) name.Tag { r, err := name.NewTag(s); must(t, err); return r }
	must(t, tarball.WriteToFile(filepath.Join(root, "one.tar"), tag("one:1"), one))
	must(t, tarball.MultiWriteToFile(filepath.Join(root, "both.tar"), map[name.Tag]v1.Image{tag("one:1"): one, tag("reg.example/two:2"): two}))
	l, err := layout.Write(filepath.Join(root, "layout"), empty.Index)
	must(t, err)
	must(t, l.AppendImage(one, layout.WithAnnotations(map[string]string{annotationRef: "1"})))
	must(t, l.AppendImage(two, layout.WithAnnotations(map[string]string{annotationRef: "2"})))
	var platforms []v1.Image
	for i, arch := range []string{"s390x", runtime.GOARCH} {
		c, err := []v1.Image{one, two}[i].ConfigFile()
		must(t, err)
		c = c.DeepCopy()
		c.OS, c.Architecture = "linux", arch
		img, err := mutate.ConfigFile([]v1.Image{one, two}[i], c)
		must(t, err)
		platforms = append(platforms, img)
	}
	nameless, err := layout.Write(filepath.Join(root, "nameless"), empty.Index)
	must(t, err)
	must(t, nameless.AppendImage(platforms[0], layout.WithPlatform(v1.Platform{OS: "linux", Architecture: "s390x"})))
	must(t, nameless.AppendImage(platforms[1], layout.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH})))
	ambiguous, err := layout.Write(filepath.Join(root, "ambiguous"), empty.Index)
	must(t, err)
	must(t, ambiguous.AppendImage(one))
	must(t, ambiguous.AppendImage(two))
	must(t, os.WriteFile(filepath.Join(root, "text"), []byte("no archive, but long enough to be a block of one"), 0o600))
	must(t, os.WriteFile(filepath.Join(root, "empty.tar"), tarOf(t), 0o600))
	must(t, os.WriteFile(filepath.Join(root, "one.tar.gz"), gzipped(t, tarOf(t)), 0o600))
	whole, err := os.ReadFile(filepath.Join(root, "one.tar"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "cut.tar"), whole[:len(whole)/3], 0o600))
	must(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	outside := t.TempDir()
	must(t, tarball.WriteToFile(filepath.Join(outside, "out.tar"), tag("one:1"), one))
	must(t, os.Symlink(filepath.Join(outside, "out.tar"), filepath.Join(root, "link.tar")))
	for what, test := range map[string]struct {
		load, ref, content string
		kind               error
	}{
		"alone":             {"one.tar", "", "one", nil},
		"by name":           {"both.tar", "reg.example/two:2", "two", nil},
		"by short name":     {"both.tar", "one:1", "one", nil},
		"not told which":    {"both.tar", "", "", ErrNotFound},
		"not in it":         {"one.tar", "three", "", ErrNotFound},
		"layout, by tag":    {"layout", "any:2", "two", nil},
		"layout, not there": {"layout", "any:3", "", ErrNotFound},
		"of two platforms":  {"nameless", "any:1", "two", nil},
		"which of two":      {"ambiguous", "any:1", "", ErrNotFound},
		"no such file":      {"missing.tar", "", "", ErrNotFound},
		"outside":           {"../" + filepath.Base(outside) + "/out.tar", "", "", errAny},
		"link out":          {"link.tar", "", "", errAny},
		"text":              {"text", "", "", ErrInvalid},
		"fifo":              {"fifo", "", "", ErrInvalid},
		"empty":             {"empty.tar", "", "", ErrInvalid},
		"compressed":        {"one.tar.gz", "", "", ErrInvalid},
		"cut":               {"cut.tar", "", "", errAny},
	} {
		t.Run(what, func(t *testing.T) {
			s := openStore(t, t.TempDir(), Options{})
			img, err := s.Acquire(t.Context(), "o", Request{Load: test.load, LoadRoot: root, Ref: test.ref}, nil)
			idle(t, s)
			if test.kind != nil {
				if err == nil || test.kind != errAny && !errors.Is(err, test.kind) {
					t.Errorf("%v", err)
				}
				return
			}
			must(t, err)
			if b, _ := os.ReadFile(filepath.Join(img.Layers[0], "f")); string(b) != test.content || img.Config.User != "1000:1000" {
				t.Errorf("%q %+v", b, img)
			}
		})
	}
}

var errAny = errors.New("any")

// A layer that hides all below it leaves nothing below it.
func TestOpaqueRoot(t *testing.T) {
	h := newHub(t)
	ref := h.push(imageOf(t, layerOf(t, reg("low", "x")), layerOf(t, reg(".wh..wh..opq", ""), reg("high", "y"))), "app:1")
	s := openStore(t, t.TempDir(), Options{})
	img, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil)
	if err != nil || len(img.Layers) != 1 {
		t.Errorf("%+v %v", img, err)
	}
}

// An image without layers, and one that has the same layer twice.
func TestOddImages(t *testing.T) {
	h := newHub(t)
	l := layerOf(t, reg("f", "x"))
	s := openStore(t, t.TempDir(), Options{})
	for ref, n := range map[string]int{h.push(imageOf(t), "none:1"): 0, h.push(imageOf(t, l, l), "twice:1"): 2} {
		if img, err := s.Acquire(t.Context(), ref, Request{Ref: ref}, nil); err != nil || len(img.Layers) != n {
			t.Errorf("%s: %+v %v", ref, img, err)
		}
	}
	short, err := mutate.ConfigFile(imageOf(t, l), &v1.ConfigFile{OS: "linux"})
	must(t, err)
	if _, err := s.Acquire(t.Context(), "x", Request{Ref: h.push(short, "short:1")}, nil); !errors.Is(err, ErrPlatform) && !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:aa","size":1},"layers":[{"digest":"sha256:bb","size":-1}]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"x","platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseManifest(b); err == nil && m.Manifests != nil {
			_, _ = platform{OS: "linux", Architecture: "amd64"}.choose(m.Manifests)
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"os":"linux","config":{"Env":["A=1"]},"rootfs":{"type":"layers","diff_ids":["sha256:00"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ids, err := parseConfig(b, Limits{}.withDefaults()); err == nil {
			_ = c.ours()
			for _, d := range ids {
				if len(d) != 64 || strings.Contains(string(d), "/") {
					t.Errorf("%q", d)
				}
			}
		}
	})
}

func FuzzLogins(f *testing.F) {
	f.Add([]byte(`{"auths":{"a":{"auth":"bWU6eA=="}},"credHelpers":{"b":"x"},"credsStore":"y"}`))
	f.Add([]byte(`{"Username":"<token>","Secret":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if file, err := parseAuthFile(b); err == nil {
			for _, e := range file.Auths {
				_, _ = e.authenticator()
			}
		}
		_, _ = parseHelper("x", b)
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(tarOf(f, reg("manifest.json", `[{"Config":"c.json","Layers":["l.tar"]}]`), reg("c.json", `{"os":"linux","rootfs":{"diff_ids":["sha256:`+strings.Repeat("0", 64)+`"]}}`), link("l.tar", "manifest.json")))
	f.Add(tarOf(f, reg("index.json", `{"schemaVersion":2,"manifests":[{"digest":"sha256:`+strings.Repeat("0", 64)+`"}]}`), file{Typeflag: tar.TypeLink, Name: "blobs/sha256/x", Linkname: "index.json"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "a"), b, 0o600))
		r := &request{Request: Request{Load: "a", LoadRoot: dir}, name: "a", platform: platform{OS: "linux", Architecture: "amd64"}}
		if src, err := openFile(r, Limits{}.withDefaults()); err == nil {
			src.close()
		}
	})
}
