package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

func packed(t *testing.T, format string, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	switch format {
	case "gz":
		return gz(t, data)
	case "xz":
		w, err := xz.NewWriter(&buf)
		if err == nil {
			_, err = w.Write(data)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	case "zst":
		w, err := zstd.NewWriter(&buf)
		if err == nil {
			_, err = w.Write(data)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	case "bz2":
		if _, err := exec.LookPath("bzip2"); err != nil {
			t.Skip("bzip2 is not installed: make test-deps")
		}
		cmd := exec.Command("bzip2", "-c")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(data), &buf
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func TestFormats(t *testing.T) {
	for _, f := range []string{"gz", "xz", "zst", "bz2"} {
		t.Run(f, func(t *testing.T) {
			w := newWorld(t, defaults())
			tree := tarOf(t, file("d/in", "text"))
			url := serve(t, map[string][]byte{"/a.tar." + f: packed(t, f, tree), "/t.x." + f: packed(t, f, []byte("plain")), "/noname": packed(t, f, tree)})
			for _, a := range []api.TaskArtifact{
				{GetterSource: url + "/a.tar." + f}, {GetterSource: url + "/noname", GetterOptions: map[string]string{"archive": "tar." + f}, RelativeDest: "local/named"},
				{GetterSource: url + "/a.tar." + f + "//d", RelativeDest: "local/sub"}, {GetterSource: url + "/t.x." + f},
				{GetterSource: url + "/a.tar." + f, GetterMode: "file", RelativeDest: "local/single"},
				{GetterSource: url + "/a.tar." + f + "?archive=false", RelativeDest: "local/raw"},
			} {
				if err := w.get(a); err != nil {
					t.Fatal(a.GetterSource, err)
				}
			}
			for name, text := range map[string]string{"d/in": "text", "named/d/in": "text", "sub/in": "text", "t.x": "plain", "single": "text"} {
				w.wants("web/local/"+name, text, 0o644)
			}
			if _, err := os.Stat(w.dir + "/web/local/raw/a.tar." + f); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestZip(t *testing.T) {
	w := newWorld(t, defaults())
	url := serve(t, map[string][]byte{"/a.zip": zipOf(t, map[string]fs.FileMode{"d/run": 0o755}, "text")})
	if err := w.get(api.TaskArtifact{GetterSource: url + "/a.zip", GetterMode: "dir", RelativeDest: "local/out"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/out/d/run", "text", 0o755)
}

func TestChecksum(t *testing.T) {
	w := newWorld(t, defaults())
	data := []byte("content")
	good := fmt.Sprintf("%x", sha256.Sum256(data))
	bad := strings.Repeat("0", 64)
	url := serve(t, map[string][]byte{
		"/x/app": data, "/x/SUMS": []byte(bad + "  other\n" + good + " *./app\n"), "/bsd": []byte("SHA256 (app) = " + good + "\n"),
		"/bare": []byte(good + "\n"), "/other": []byte(good + "  other\n"), "/wrong": []byte(bad + "  app\n"),
	})
	for sum, want := range map[string]string{
		"sha256:" + good: "", good: "", "file:SUMS": "", "file:/bsd": "", "file:" + url + "/bare": "",
		"sha256:" + bad: "checksum is", "file:/other": `has none for "app"`, "file:/wrong": "checksum is", "file:/missing": "404",
		"md5:" + good: "write it like", "sha256:zz": "write it like", "file:ftp://x/y": "http",
	} {
		err := w.get(api.TaskArtifact{GetterSource: url + "/x/app", GetterOptions: map[string]string{"checksum": sum}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", sum, err, want)
		}
	}
	w.wants("web/local/app", "content", 0o644)
}

// store is a small s3: one bucket, keys below a prefix, requests signed.
func store(t *testing.T, objects map[string]string) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Header.Get("Authorization"))
		if !strings.Contains(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKID/") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>AccessDenied</Code></Error>")
			return
		}
		key := strings.TrimPrefix(r.URL.Path, "/bucket/")
		if r.URL.Query().Get("list-type") == "2" {
			fmt.Fprint(w, "<ListBucketResult><IsTruncated>false</IsTruncated>")
			for k := range objects {
				if strings.HasPrefix(k, r.URL.Query().Get("prefix")) {
					fmt.Fprintf(w, "<Contents><Key>%s</Key></Contents>", k)
				}
			}
			fmt.Fprint(w, "</ListBucketResult>")
			return
		}
		text, ok := objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestS3(t *testing.T) {
	w := newWorld(t, defaults())
	url, asked := store(t, map[string]string{"one": "1", "dir/a": "a", "dir/sub/b c": "b", "evil/../../x": "x", "evil/": ""})
	keys := map[string]string{"aws_access_key_id": "AKID", "aws_access_key_secret": "secret", "aws_access_token": "token", "region": "eu-central-1"}
	for _, source := range []string{"/bucket/one", "/bucket/dir"} {
		if err := w.get(api.TaskArtifact{GetterSource: "s3::" + url + source, GetterOptions: keys}); err != nil {
			t.Fatal(source, err)
		}
	}
	w.wants("web/local/one", "1", 0o644)
	w.wants("web/local/a", "a", 0o644)
	w.wants("web/local/sub/b c", "b", 0o644)
	if !strings.Contains((*asked)[0], "/eu-central-1/s3/aws4_request") || !strings.Contains((*asked)[0], "x-amz-security-token") {
		t.Errorf("signed as %s", (*asked)[0])
	}
	for source, want := range map[string]string{
		"/bucket/evil": "lies outside", "/bucket/missing": "404", "/bucket": "names no",
	} {
		if err := w.get(api.TaskArtifact{GetterSource: "s3::" + url + source, GetterOptions: keys}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
	if err := w.get(api.TaskArtifact{GetterSource: "s3::" + url + "/bucket/one"}); err == nil || !strings.Contains(err.Error(), "403 Forbidden: AccessDenied") {
		t.Error(err)
	}
}

// TestFullDisk: what does not fit on the disk of the node is told as that, and
// leaves nothing.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	w := newWorld(t, defaults())
	if err := unix.Mount("tmpfs", w.dir, "tmpfs", 0, "size=1m,mode=0755"); err != nil {
		t.Skip("no tmpfs can be mounted here:", err)
	}
	defer unix.Unmount(w.dir, unix.MNT_DETACH)
	for _, d := range []string{"/web", "/web/local"} {
		if err := os.Mkdir(w.dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	big := bytes.Repeat([]byte("x"), 3<<20)
	url := serve(t, map[string][]byte{"/big": big, "/big.tar.gz": gz(t, tarOf(t, file("big", string(big))))})
	for _, name := range []string{"/big", "/big.tar.gz"} {
		if err := w.get(api.TaskArtifact{GetterSource: url + name}); err == nil || !strings.Contains(err.Error(), "no space left on the disk of the node") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := listed(t, w.dir+"/web/local"); got != " d---------" {
		t.Errorf("left behind %q", got)
	}
}

// TestManyAtOnce: each gets its own, whatever the others fetch.
func TestManyAtOnce(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "for ", r.URL.Path) }))
	defer s.Close()
	fetcher := New(defaults())
	var all sync.WaitGroup
	for i := range 24 {
		w := newWorld(t, defaults())
		w.fetcher = fetcher
		all.Go(func() {
			name := fmt.Sprint("/", i)
			if err := w.get(api.TaskArtifact{GetterSource: s.URL + name, GetterMode: "file", RelativeDest: "local/app"}); err != nil {
				t.Error(err)
			}
			w.wants("web/local/app", "for "+name, 0o644)
		})
	}
	all.Wait()
}

// TestGivenUp: a fetch that is not wanted any more leaves neither process nor files.
func TestGivenUp(t *testing.T) {
	w := newWorld(t, defaults())
	begun, gone := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte("x"))
		rw.(http.Flusher).Flush()
		close(begun)
		<-r.Context().Done() // the connection ends with the process
		close(gone)
	}))
	defer s.Close()
	src, err := Parse(&api.TaskArtifact{GetterSource: s.URL + "/x", GetterMode: "any"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if _, err := w.fetcher.Fetch(ctx, Job{Source: src, Dir: w.dir, Task: "web"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.clean()
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the process goes on")
	}
}

// TestChown: what is fetched belongs to whom the step says.
func TestChown(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	w := newWorld(t, defaults())
	url := serve(t, map[string][]byte{"/x.tar": tarOf(t, file("d/in", "text"), link("l", "d"))})
	if err := w.getAs(api.TaskArtifact{GetterSource: url + "/x.tar", RelativeDest: "local/new/er"}, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new", "new/er", "new/er/d", "new/er/d/in", "new/er/l"} {
		var st unix.Stat_t
		if err := unix.Lstat(w.dir+"/web/local/"+name, &st); err != nil || st.Uid != 1234 || st.Gid != 1235 {
			t.Errorf("%s belongs to %d:%d %v", name, st.Uid, st.Gid, err)
		}
	}
}

// TestNoIsolation: without the view a fetch works as well, with its own user still.
func TestNoIsolation(t *testing.T) {
	cfg := defaults()
	cfg.NoIsolation, cfg.NoInspection = true, true
	w := newWorld(t, cfg)
	url := serve(t, map[string][]byte{"/x.tar": tarOf(t, file("in", "text"), link("out", "/etc/hostname"))})
	if err := w.get(api.TaskArtifact{GetterSource: url + "/x.tar"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/in", "text", 0o644)
	if to, err := os.Readlink(w.dir + "/web/local/out"); to != "/etc/hostname" {
		t.Error(to, err)
	}
}
