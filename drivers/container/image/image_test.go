package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hub is a registry of the test's own on loopback.
type hub struct {
	t      testing.TB
	host   string
	before atomic.Pointer[answer]
}

// answer may answer a request itself (true).
type answer func(w http.ResponseWriter, r *http.Request) bool

// first makes a handle every request first; nil takes it away.
func (h *hub) first(a answer) { h.before.Store(&a) }

func newHub(t testing.TB) *hub {
	t.Helper()
	h := &hub{t: t}
	inner := registry.New(registry.Logger(discardLog()))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := h.before.Load(); a != nil && *a != nil && (*a)(w, r) {
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	t.Cleanup(remote.DefaultTransport.(*http.Transport).CloseIdleConnections)
	h.host = strings.TrimPrefix(srv.URL, "http://")
	return h
}

// push puts an image there and gives its full name.
func (h *hub) push(img v1.Image, as string) string {
	h.t.Helper()
	ref, err := name.ParseReference(h.host + "/" + as)
	must(h.t, err)
	must(h.t, remote.Write(ref, img))
	return ref.Name()
}

// file is an entry of a layer.
type file = tar.Header

func reg(name, content string) file {
	return file{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), PAXRecords: map[string]string{"test.content": content}}
}

func dir(name string) file { return file{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }

// tarOf is the archive of a layer.
func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		content := f.PAXRecords["test.content"] // not for the archive
		f.PAXRecords = maps.Clone(f.PAXRecords)
		delete(f.PAXRecords, "test.content")
		must(t, w.WriteHeader(&f))
		_, err := io.WriteString(w, content)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

// testLayer is a layer as it is sent, with the diff ID that is told for it.
type testLayer struct {
	v1.Layer
	diffID v1.Hash
}

// DiffID is what the configuration will tell.
func (l testLayer) DiffID() (v1.Hash, error) { return l.diffID, nil }

func sent(blob, plain []byte) v1.Layer {
	return testLayer{static.NewLayer(blob, types.OCILayer), v1.Hash{Algorithm: "sha256", Hex: string(digestOf(plain))}}
}

// layerOf is an honest layer.
func layerOf(t testing.TB, files ...file) v1.Layer {
	t.Helper()
	plain := tarOf(t, files...)
	return sent(gzipped(t, plain), plain)
}

// imageOf is an image for the node's platform, of these layers, lowest first.
func imageOf(t testing.TB, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	must(t, err)
	c, err := img.ConfigFile()
	must(t, err)
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", runtime.GOARCH
	c.Config = v1.Config{
		Entrypoint: []string{"/bin/app"}, Cmd: []string{"serve"}, Env: []string{"A=1"}, User: "1000:1000", WorkingDir: "/srv",
		StopSignal: "SIGINT", Volumes: map[string]struct{}{"/data": {}}, Labels: map[string]string{"l": "v"}, ExposedPorts: map[string]struct{}{"80/tcp": {}},
	}
	img, err = mutate.ConfigFile(img, c)
	must(t, err)
	return img
}

func openStore(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// idle fails when the store has anything left of work that is over.
func idle(t testing.TB, s *Store) {
	t.Helper()
	left, err := filepath.Glob(s.path(workDir, "*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAcquire(t *testing.T) {
	h := newHub(t)
	img := imageOf(t, layerOf(t, dir("srv"), reg("srv/a", "low")), layerOf(t, reg("srv/b", "high")))
	ref := h.push(img, "team/app:1")
	s := openStore(t, t.TempDir(), Options{})
	var last Progress
	got, err := s.Acquire(t.Context(), "alloc/web", Request{Ref: ref}, func(p Progress) { last = p })
	must(t, err)
	id, err := img.ConfigName()
	must(t, err)
	manifest, err := img.Digest()
	must(t, err)
	if got.ID != id.String() || got.ManifestDigest != manifest.String() || got.Ref != ref || got.Platform != "linux/"+runtime.GOARCH || len(got.Layers) != 2 {
		t.Errorf("%+v", got)
	}
	if c := fmt.Sprintf("%+v", got.Config); c != "{Entrypoint:[/bin/app] Cmd:[serve] Env:[A=1] User:1000:1000 WorkingDir:/srv StopSignal:SIGINT Volumes:[/data] ExposedPorts:[80/tcp] Labels:map[l:v]}" {
		t.Error(c)
	}
	for i, want := range []string{"a low", "b high"} {
		name, content, _ := strings.Cut(want, " ")
		b, err := os.ReadFile(filepath.Join(got.Layers[i], "srv", name))
		if string(b) != content {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
	if last.Phase != PhaseDone || last.Layers != 2 || last.Ready != 2 || last.Bytes == 0 || last.Bytes != last.Total {
		t.Errorf("progress ended with %+v", last)
	}
	idle(t, s)

	// What the node has needs no registry, unless it is asked for.
	h.first(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	again, err := s.Acquire(t.Context(), "alloc/web2", Request{Ref: ref}, nil)
	if err != nil || again.ID != got.ID {
		t.Errorf("%+v %v", again, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.first(func(http.ResponseWriter, *http.Request) bool { cancel(); return false })
	if _, err := s.Acquire(ctx, "alloc/web3", Request{Ref: ref, ForcePull: true}, nil); err == nil {
		t.Error("the registry was not asked")
	}
	h.first(nil)
	held, err := s.Held(t.Context(), "alloc/web2")
	if err != nil || held.ID != got.ID || len(held.Layers) != 2 {
		t.Errorf("%+v %v", held, err)
	}
	must(t, s.Release(t.Context(), "alloc/web2"))
	must(t, s.Release(t.Context(), "nobody"))
	owners, err := s.Owners(t.Context())
	if err != nil || len(owners) != 1 || owners[0].Name != "alloc/web" || owners[0].Image != got.ID {
		t.Errorf("%+v %v", owners, err)
	}
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
