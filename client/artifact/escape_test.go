package artifact

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// zipOf makes a zip file; names and modes are taken as they are.
func zipOf(t *testing.T, entries map[string]fs.FileMode, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, mode := range entries {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func link(name, target string) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}}
}

// TestEscapeArchive: nothing in an archive lies anywhere but in its destination,
// and nothing lends rights.
func TestEscapeArchive(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(outside, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	dots := strings.Repeat("../", 12)
	bad := map[string][]byte{
		"dots.tar":     tarOf(t, file(dots+outside[1:], "x")),
		"dot.tar":      tarOf(t, file("../secrets/x", "x")),
		"absolute.tar": tarOf(t, file(outside, "x")),
		"link.tar":     tarOf(t, link("a", "/"), file("a"+outside, "x")),
		"linked.tar":   tarOf(t, link("a", ".."), file("a/private/x", "x")),
		"inside.tar":   tarOf(t, entry{Header: tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755}}, link("a", "d"), file("a/x", "x")),
		"passwd.tar":   tarOf(t, link("passwd", "/etc/passwd")),
		"chain.tar":    tarOf(t, link("a", "b/.."), link("b", "c")),
		"hard.tar":     tarOf(t, entry{Header: tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}),
		"harddots.tar": tarOf(t, entry{Header: tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../../../../etc/passwd"}}),
		"device.tar":   tarOf(t, entry{Header: tar.Header{Name: "mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1, Mode: 0o666}}),
		"fifo.tar":     tarOf(t, entry{Header: tar.Header{Name: "pipe", Typeflag: tar.TypeFifo, Mode: 0o666}}),
		"back.tar":     tarOf(t, file(`..\..\x`, "x")),
		"both.tar":     tarOf(t, file("a/x", "x"), file("a", "x")),
		"dots.zip":     zipOf(t, map[string]fs.FileMode{"../../../" + outside[1:]: 0o644}, "x"),
		"absolute.zip": zipOf(t, map[string]fs.FileMode{outside: 0o644}, "x"),
		"link.zip":     zipOf(t, map[string]fs.FileMode{"a": fs.ModeSymlink | 0o777}, "/etc/passwd"),
		"device.zip":   zipOf(t, map[string]fs.FileMode{"a": fs.ModeDevice | 0o666}, ""),
		"pipe.zip":     zipOf(t, map[string]fs.FileMode{"a": fs.ModeNamedPipe | 0o666}, ""),
		"nothing.zip":  []byte("PK\x03\x04 no zip"),
		"cut.tar":      tarOf(t, file("a", strings.Repeat("x", 2000)))[:1000],
		"noise.tar.gz": []byte("\x1f\x8b\x08 noise"),
	}
	url := serve(t, prefixed(bad))
	w := newWorld(t, defaults())
	before := listed(t, w.dir)
	for name := range bad {
		err := w.get(api.TaskArtifact{GetterSource: url + "/" + name})
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if b, err := os.ReadFile(outside); string(b) != "mine" {
		t.Errorf("the victim holds %q %v", b, err)
	}
	if after := listed(t, w.dir); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

func prefixed(m map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for k, v := range m {
		out["/"+k] = v
	}
	return out
}

// listed names all that is beneath a directory.
func listed(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		names = append(names, fmt.Sprint(strings.TrimPrefix(p, dir), " ", d.Type()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

func TestEscapeRights(t *testing.T) {
	w := newWorld(t, defaults())
	root := tar.Header{Name: "root", Mode: 0o7755, Uid: 0, Gid: 0, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}}
	url := serve(t, map[string][]byte{
		"/x.tar": tarOf(t, entry{root, "#!"}, entry{Header: tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o7777}}),
		"/x.zip": zipOf(t, map[string]fs.FileMode{"z": 0o755 | fs.ModeSetuid | fs.ModeSetgid}, "#!"),
	})
	for _, name := range []string{"x.tar", "x.zip"} {
		if err := w.get(api.TaskArtifact{GetterSource: url + "/" + name}); err != nil {
			t.Fatal(name, err)
		}
	}
	w.wants("web/local/root", "#!", 0o755)
	w.wants("web/local/z", "#!", 0o755)
	if st, err := os.Stat(w.dir + "/web/local/d"); err != nil || st.Mode() != fs.ModeDir|0o777 {
		t.Error(st.Mode(), err)
	}
}

// TestEscapeBombs: what unpacks to more than the limit is stopped there.
func TestEscapeBombs(t *testing.T) {
	cfg := defaults()
	cfg.Unpack, cfg.Files = 4<<20, 50
	w := newWorld(t, cfg)
	zeros := make([]byte, 16<<20)
	var many []entry
	for i := range 100 {
		many = append(many, file(fmt.Sprint("f", i), ""))
	}
	// A sparse file is as large as it says, however little the archive holds.
	url := serve(t, map[string][]byte{
		"/big.gz": gz(t, zeros), "/big.tar.gz": gz(t, tarOf(t, file("zeros", string(zeros)))),
		"/big.zip": zipOf(t, map[string]fs.FileMode{"zeros": 0o644}, string(zeros)), "/many.tar": tarOf(t, many...),
		"/twice.tar.gz": gz(t, tarOf(t, file("a", string(zeros[:3<<20])), entry{Header: tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}})),
	})
	for _, name := range []string{"big.gz", "big.tar.gz", "big.zip", "many.tar", "twice.tar.gz"} {
		if err := w.get(api.TaskArtifact{GetterSource: url + "/" + name}); !errors.Is(err, api.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEscapeServer: servers that do not behave.
func TestEscapeServer(t *testing.T) {
	cfg := defaults()
	cfg.HTTPBytes, cfg.StallTime, cfg.HTTPTime = 1<<20, 700*time.Millisecond, 2*time.Second
	w := newWorld(t, cfg)
	stop := make(chan struct{})
	mux := http.NewServeMux()
	endless := func(rw http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 64<<10)
		for {
			if _, err := rw.Write(block); err != nil {
				return
			}
		}
	}
	mux.HandleFunc("/endless", endless)
	mux.HandleFunc("/endless.tar.gz", endless)
	mux.HandleFunc("/large", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "2000000")
		rw.Write(make([]byte, 10))
	})
	mux.HandleFunc("/silent", func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte("x"))
		rw.(http.Flusher).Flush()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/loris", func(rw http.ResponseWriter, r *http.Request) {
		for {
			if _, err := rw.Write([]byte("x")); err != nil {
				return
			}
			rw.(http.Flusher).Flush()
			select {
			case <-time.After(50 * time.Millisecond):
			case <-r.Context().Done():
				return
			case <-stop:
				return
			}
		}
	})
	mux.HandleFunc("/loop", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/file", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Location", "file:///etc/passwd")
		rw.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/short", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", "100")
		rw.Write([]byte("x"))
	})
	mux.HandleFunc("/getter", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Terraform-Get", "file:///etc/passwd")
		rw.Write([]byte("harmless"))
	})
	mux.HandleFunc("/head", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Big", strings.Repeat("x", 1<<20))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	defer close(stop)
	for path, want := range map[string]string{
		"/endless": "larger than the limit", "/endless.tar.gz": "larger than the limit", "/large": "larger than the limit",
		"/silent": "sent nothing for", "/loris": "not done within", "/loop": "more than 10 redirects", "/file": `redirects to a "file" address`,
		"/short": "ended after 1 of 100 bytes", "/missing": "404 Not Found", "/head": "header",
	} {
		err := w.get(api.TaskArtifact{GetterSource: s.URL + path})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := w.get(api.TaskArtifact{GetterSource: s.URL + "/getter"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/getter", "harmless", 0o644)
}

// TestEscapeHeaders: a redirect to another host takes no secret along.
func TestEscapeHeaders(t *testing.T) {
	w := newWorld(t, defaults())
	var seen http.Header
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		rw.Write([]byte("x"))
	}))
	defer other.Close()
	var first http.Header
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		first = r.Header.Clone()
		http.Redirect(rw, r, other.URL+"/x", http.StatusFound)
	}))
	defer s.Close()
	source := strings.Replace(s.URL, "http://", "http://user:passphrase@", 1) + "/x?token=query-secret"
	err := w.get(api.TaskArtifact{GetterSource: source, GetterHeaders: map[string]string{"X-Token": "header-secret"}})
	if err != nil {
		t.Fatal(err)
	}
	if first.Get("X-Token") != "header-secret" || first.Get("Authorization") == "" {
		t.Errorf("the first server got %v", first)
	}
	text := fmt.Sprint(seen)
	for _, secret := range []string{"header-secret", "query-secret", "Authorization"} {
		if strings.Contains(text, secret) {
			t.Errorf("the other host got %s", text)
		}
	}
}

// TestEscapeTarget: links that a task has put in the way are not followed.
func TestEscapeTarget(t *testing.T) {
	outside := t.TempDir()
	w := newWorld(t, defaults())
	url := serve(t, map[string][]byte{"/x": []byte("new"), "/y.tar": tarOf(t, file("d/x", "new"))})
	for _, name := range []string{"dir", "d"} {
		if err := os.Symlink(outside, w.dir+"/web/local/"+name); err != nil {
			t.Fatal(err)
		}
	}
	victim := outside + "/x"
	if err := os.WriteFile(victim, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, w.dir+"/web/local/x"); err != nil {
		t.Fatal(err)
	}
	for _, a := range []api.TaskArtifact{
		{GetterSource: url + "/x", RelativeDest: "local/dir"}, {GetterSource: url + "/x", RelativeDest: "local/dir/new/deep", GetterMode: "file"},
		{GetterSource: url + "/y.tar"},
	} {
		if err := w.get(a); err == nil {
			t.Errorf("%s to %s was accepted", a.GetterSource, a.RelativeDest)
		}
	}
	// A link in the place of the file itself is replaced, not written through.
	if err := w.get(api.TaskArtifact{GetterSource: url + "/x"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/x", "new", 0o644)
	if b, _ := os.ReadFile(victim); string(b) != "mine" {
		t.Errorf("the victim holds %q", b)
	}
	if left := listed(t, outside); strings.Count(left, "\n") != 1 {
		t.Errorf("outside there is %s", left)
	}
}

func TestEscapeDestination(t *testing.T) {
	for _, to := range []string{
		"../../../../tmp/x", "..", "../other/local", "../alloc/logs", "../alloc", "private", "private/x", "local/../private", "local/../../x",
		"a\x00b", `..\x`, "", strings.Repeat("a", 5000), "${NOMAD_META_up}/x",
	} {
		if got, err := Destination("web", to); !errors.Is(err, api.ErrDenied) {
			t.Errorf("%.50q gives %q, %v", to, got, err)
		}
	}
	for to, want := range map[string]string{
		"local/": "web/local", "/local/a": "web/local/a", "local//a/./b": "web/local/a/b", "../alloc/data/x": "alloc/data/x", "./": "web",
		"secrets/x": "web/secrets/x", "local/../local/x": "web/local/x",
	} {
		if got, err := Destination("web", to); got != want || err != nil {
			t.Errorf("%q gives %q, %v", to, got, err)
		}
	}
}

// TestEscapeLocal: a file of the task is one that lies beneath its directory.
func TestEscapeLocal(t *testing.T) {
	w := newWorld(t, defaults())
	if err := os.WriteFile(w.dir+"/web/local/a.tar", tarOf(t, file("in", "text")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"local/a.tar", "./local/a.tar", "file::local/a.tar", "file://local/a.tar"} {
		if err := w.get(api.TaskArtifact{GetterSource: source, RelativeDest: "local/out"}); err != nil {
			t.Fatal(source, err)
		}
		w.wants("web/local/out/in", "text", 0o644)
	}
	for name, target := range map[string]string{"passwd": "/etc/passwd", "up": "../../../../../../../../etc/passwd", "dir": "/etc"} {
		if err := os.Symlink(target, w.dir+"/web/local/"+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.dir+"/web/private/x", []byte("agent's"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{
		"/etc/passwd", "file:///etc/passwd", "../../../../../../etc/passwd", "local/passwd", "local/up", "local/dir/passwd", "private/x", "../alloc/x", "local",
	} {
		if err := w.get(api.TaskArtifact{GetterSource: source, GetterMode: "file", RelativeDest: "local/got"}); err == nil {
			t.Errorf("%s was fetched", source)
		}
	}
}

// TestEscapeSecrets: what an error says holds no secret.
func TestEscapeSecrets(t *testing.T) {
	w := newWorld(t, defaults())
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "gopher://x/"+r.URL.RawQuery+r.Header.Get("X-Key"), http.StatusFound)
	}))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	for _, a := range []api.TaskArtifact{
		{GetterSource: "http://joe:pass-word@" + host + "/x?sig=top-secret", GetterHeaders: map[string]string{"X-Key": "header-key"}},
		{GetterSource: "http://joe:pass-word@127.0.0.1:1/x?sig=top-secret"},
		{GetterSource: "git::http://joe:pass-word@" + host + "/x.git", GetterOptions: map[string]string{"sshkey": "top-secret"}},
		{GetterSource: "s3::" + s.URL + "/b/k", GetterOptions: map[string]string{"aws_access_key_id": "header-key", "aws_access_key_secret": "top-secret"}},
	} {
		err := w.get(a)
		if err == nil {
			t.Fatal(a.GetterSource, "was fetched")
		}
		for _, secret := range []string{"pass-word", "top-secret", "header-key"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s tells %q", err, secret)
			}
		}
	}
}

// TestEscapeGit: what git could take for an option, a program or a local path.
func TestEscapeGit(t *testing.T) {
	git := needGit(t)
	url, dir := repositories(t)
	work := t.TempDir()
	git(work, "init", "-q", "-b", "main")
	commit(t, git, work, "readme", "one")
	publish(t, git, work, dir+"/app.git")
	mark := filepath.Join(t.TempDir(), "mark")
	w := newWorld(t, defaults())
	for _, source := range []string{
		"git::ext::sh -c 'touch " + mark + "'", "git::file://" + work, "git::" + work, "git::http://-oProxyCommand=touch/x",
		"git::ssh://-oProxyCommand=touch%20" + mark + "/x", "git::" + url + "/app.git?ref=--upload-pack=touch", "git::" + url + "/app.git?ref=-f",
		"git::" + url + "/app.git//..", "git::" + url + "/app.git//../../x", "git::" + url + "/app.git?depth=x", "git::-u/x",
		"git::ssh://git@127.0.0.1:1/--upload-pack=touch", "git::fd::17",
	} {
		if err := w.get(api.TaskArtifact{GetterSource: source}); err == nil {
			t.Errorf("%s was fetched", source)
		}
	}
	// Submodules that are local, and links out of the repository.
	commit(t, git, work, ".gitmodules", "[submodule \"x\"]\n path = x\n url = file://"+work+"\n")
	git(work, "update-index", "--add", "--cacheinfo", "160000,"+git(work, "rev-parse", "HEAD")+",x")
	git(work, "commit", "-qm", "module")
	publish(t, git, work, dir+"/module.git")
	linked := t.TempDir()
	git(linked, "init", "-q", "-b", "main")
	if err := os.Symlink("/etc/passwd", linked+"/passwd"); err != nil {
		t.Fatal(err)
	}
	commit(t, git, linked, "x", "x")
	publish(t, git, linked, dir+"/linked.git")
	for _, name := range []string{"module", "linked"} {
		if err := w.get(api.TaskArtifact{GetterSource: "git::" + url + "/" + name + ".git"}); err == nil {
			t.Errorf("%s was fetched", name)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a program was run")
	}
}

// TestEscapeKilledDownload: the fetching process is killed in the middle of a download. Nobody could have read what had come, nothing of it is left, and
// the next try is as good as the first.
func TestEscapeKilledDownload(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: fetching processes have a user of their own under root alone")
	}
	w := newWorld(t, defaults())
	half, stop := make(chan struct{}), make(chan struct{})
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			_, _ = io.WriteString(rw, strings.Repeat("x", 2<<20))
			return
		}
		rw.Header().Set("Content-Length", "2097152")
		_, _ = rw.Write(make([]byte, 1<<20))
		rw.(http.Flusher).Flush()
		close(half)
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(stop)
	done := make(chan error, 1)
	go func() { done <- w.get(api.TaskArtifact{GetterSource: s.URL + "/part"}) }()
	<-half
	// Both directories that it writes in are closed to everybody but the user of this fetch, and what has come lies in one of them.
	found := 0
	for until := time.Now().Add(30 * time.Second); found == 0 && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		dirs, _ := filepath.Glob(w.dir + "/" + StagingPrefix + "*/*")
		for _, dir := range dirs {
			if st, err := os.Stat(dir); err == nil && st.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s is open to others: %v", dir, st.Mode())
			}
			_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					found++
				}
				return nil
			})
		}
	}
	if found == 0 {
		t.Error("nothing of the download was seen")
	}
	killed := 0
	for _, pid := range childrenOfUsers(t, firstUser) {
		if err := unix.Kill(pid, unix.SIGKILL); err == nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("the fetching process was not found")
	}
	if err := <-done; err == nil {
		t.Error("half a file was taken for a whole one")
	}
	if _, err := os.Stat(w.dir + "/web/local/part"); err == nil {
		t.Error("half a file was placed")
	}
	if err := w.get(api.TaskArtifact{GetterSource: s.URL + "/part"}); err != nil {
		t.Error(err)
	}
	w.wants("web/local/part", strings.Repeat("x", 2<<20), 0o644)
}

// childrenOfUsers are processes beneath this one whose user is from that number on.
func childrenOfUsers(t *testing.T, first uint32) (out []int) {
	t.Helper()
	all, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var pid, parent int
		var uid uint32
		for line := range strings.Lines(string(b)) {
			_, _ = fmt.Sscanf(line, "Pid: %d", &pid)
			_, _ = fmt.Sscanf(line, "PPid: %d", &parent)
			_, _ = fmt.Sscanf(line, "Uid: %d", &uid)
		}
		if uid >= first && (parent == os.Getpid() || parent == 0 || grandchild(parent)) {
			out = append(out, pid)
		}
	}
	return out
}

// grandchild is whether a process is a child of this one.
func grandchild(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(b), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid()))
}
