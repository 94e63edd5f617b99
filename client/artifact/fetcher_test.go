package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact/fetch"
)

func TestMain(m *testing.M) {
	fetch.Main(os.Args)
	goleak.VerifyTestMain(m)
}

// world is an allocation's directory with one task in it, and a fetcher.
type world struct {
	t       *testing.T
	dir     string
	fetcher *Fetcher
}

func defaults() Config {
	return Config{
		HTTPTime: 20 * time.Second, GitTime: 20 * time.Second, S3Time: 20 * time.Second, StallTime: 10 * time.Second,
		HTTPBytes: 64 << 20, Unpack: 64 << 20, Files: 200,
	}
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "serai-artifact")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"", "alloc", "web", "web/local", "web/secrets", "web/private"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &world{t: t, dir: dir, fetcher: New(cfg)}
}

// get fetches and places an artifact, as the step does.
func (w *world) get(a api.TaskArtifact) error { return w.getAs(a, -1, -1) }

func (w *world) getAs(a api.TaskArtifact, uid, gid int) error {
	w.t.Helper()
	if a.GetterMode == "" {
		a.GetterMode = "any"
	}
	if a.RelativeDest == "" {
		a.RelativeDest = "local/"
	}
	defer w.clean()
	s, err := Parse(&a)
	if err != nil {
		return err
	}
	to, err := Destination("web", a.RelativeDest)
	if err != nil {
		return err
	}
	out, err := w.fetcher.Fetch(w.t.Context(), Job{Source: s, Dir: w.dir, Task: "web"})
	if err != nil {
		return err
	}
	defer out.Close()
	return out.Place(to, a.GetterMode, uid, gid)
}

// clean looks whether anything is left of a fetch.
func (w *world) clean() {
	w.t.Helper()
	left, err := filepath.Glob(w.dir + "/" + StagingPrefix + "*")
	if err != nil || len(left) > 0 {
		w.t.Errorf("left behind: %v %v", left, err)
	}
}

func (w *world) wants(name, text string, mode fs.FileMode) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	b, err := os.ReadFile(path)
	if err != nil || string(b) != text {
		w.t.Errorf("%s: %.60q %v, want %.60q", name, b, err, text)
		return
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode() != mode {
		w.t.Errorf("%s: mode %v, want %v %v", name, st.Mode(), mode, err)
	}
}

// entry is one of a tar archive.
type entry struct {
	tar.Header
	text string
}

func file(name, text string) entry { return entry{tar.Header{Name: name, Mode: 0o644}, text} }

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		if e.Typeflag == 0 || e.Typeflag == tar.TypeReg {
			e.Typeflag, e.Size = tar.TypeReg, int64(len(e.text))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func gz(t *testing.T, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// serve answers each path with its bytes.
func serve(t *testing.T, files map[string][]byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestFetchFile(t *testing.T) {
	w := newWorld(t, defaults())
	url := serve(t, map[string][]byte{"/a/app.bin": []byte("hello")})
	if err := w.get(api.TaskArtifact{GetterSource: url + "/a/app.bin"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/app.bin", "hello", 0o644)
	if err := w.get(api.TaskArtifact{GetterSource: url + "/a/app.bin", RelativeDest: "local/deep/er/name", GetterMode: "file"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/deep/er/name", "hello", 0o644)
	if err := w.get(api.TaskArtifact{GetterSource: url + "/a/app.bin", RelativeDest: "secrets", GetterOptions: map[string]string{"filename": "x"}}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/secrets/x", "hello", 0o644)
	if err := w.get(api.TaskArtifact{GetterSource: url + "/a/app.bin", RelativeDest: Shared + "/data"}); err != nil {
		t.Fatal(err)
	}
	w.wants("alloc/data/app.bin", "hello", 0o644)
}

func TestFetchTar(t *testing.T) {
	w := newWorld(t, defaults())
	url := serve(t, map[string][]byte{"/x.tar.gz": gz(t, tarOf(t,
		entry{Header: tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o750}},
		entry{tar.Header{Name: "d/run", Mode: 0o6755}, "#!"}, file("d/readme", "text"),
		entry{Header: tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "d/run"}},
		entry{Header: tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "d/readme"}},
	))})
	if err := w.get(api.TaskArtifact{GetterSource: url + "/x.tar.gz"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/d/run", "#!", 0o755)
	w.wants("web/local/link", "#!", 0o755)
	w.wants("web/local/hard", "text", 0o644)
	if st, err := os.Stat(w.dir + "/web/local/d"); err != nil || st.Mode().Perm() != 0o750 {
		t.Error(st.Mode(), err)
	}
}
