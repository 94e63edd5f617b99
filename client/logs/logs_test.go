package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func allocDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "alloc", "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newCollector(t *testing.T) *Collector {
	c := New(slog.New(slog.DiscardHandler))
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, c *Collector, dir string, files int, size int64) *Stream {
	t.Helper()
	s, err := c.Open(Config{Dir: dir, Task: "web", Kind: "stdout", MaxFiles: files, MaxFileSize: size})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writer opens the FIFO as a task does.
func writer(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, FIFOName("web", "stdout")), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// kept reads all rotated files in order.
func kept(t *testing.T, dir string) string {
	t.Helper()
	var all bytes.Buffer
	root, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = Copy(t.Context(), root, Request{Task: "web", Kind: "stdout"}, nil, func(f *api.StreamFrame) error {
		all.Write(f.Data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestCloseDrains(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	s := open(t, c, dir, 2, 1<<20)
	w := writer(t, dir)
	var want strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	if _, err := w.WriteString(want.String()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got := kept(t, dir); got != want.String() {
		t.Fatalf("kept %d bytes, want %d", len(got), want.Len())
	}
	if got := s.Stats(); got.Written != uint64(want.Len()) || got.Dropped != 0 {
		t.Fatalf("stats %+v", got)
	}
}

func TestRestartLosesNothing(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	s := open(t, c, dir, 100, 10_000)
	w := writer(t, dir)
	var want strings.Builder
	line := func(i int) {
		l := fmt.Sprintf("line %d\n", i)
		want.WriteString(l)
		if _, err := w.WriteString(l); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5000 {
		line(i)
		if i%500 == 499 {
			s.Close()
			line(-i) // nobody reads: stays in the FIFO
			s = open(t, c, dir, 100, 10_000)
		}
	}
	s.Close()
	if got := kept(t, dir); got != want.String() {
		t.Fatalf("kept %d bytes, want %d", len(got), want.Len())
	}
}

func TestRotatesAtLineEnds(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	s := open(t, c, dir, 3, 1000)
	w := writer(t, dir)
	for i := range 1000 {
		if _, err := fmt.Fprintf(w, "%04d %s\n", i, strings.Repeat("x", i%90)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	names, err := filepath.Glob(filepath.Join(dir, "alloc/logs/web.stdout.*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 3 {
		t.Fatalf("kept %v, want 3 files", names)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 1000 || !bytes.HasSuffix(b, []byte("\n")) {
			t.Errorf("%s: %d bytes, ends with %q", name, len(b), b[len(b)-1])
		}
	}
	if got := kept(t, dir); !strings.HasSuffix(got, strings.Repeat("x", 999%90)+"\n") {
		t.Errorf("the newest lines are not kept: %q", got[max(0, len(got)-100):])
	}
}

func TestLongLineIsCut(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	s := open(t, c, dir, 100, 100)
	want := strings.Repeat("0123456789", 205)
	if _, err := writer(t, dir).WriteString(want); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got := kept(t, dir); got != want {
		t.Fatalf("kept %d bytes of %d", len(got), len(want))
	}
}

func TestWithoutSplice(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	c.noSplice = true
	s := open(t, c, dir, 10, 5000)
	want := strings.Repeat("hello world\n", 1500)
	if _, err := writer(t, dir).WriteString(want); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got := kept(t, dir); got != want {
		t.Fatalf("kept %d bytes of %d", len(got), len(want))
	}
}

// A task that swaps its FIFO for a link to a file of the host must neither get
// that file written nor read.
func TestEscapeSwappedFIFO(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	host := filepath.Join(t.TempDir(), "host")
	fifo := filepath.Join(dir, FIFOName("web", "stdout"))
	if err := os.Symlink(host, fifo); err != nil {
		t.Fatal(err)
	}
	s := open(t, c, dir, 1, 1000)
	s.Close()
	if _, err := os.Lstat(host); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the host file exists: %v", err)
	}
	st, err := os.Lstat(fifo)
	if err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		t.Fatalf("no FIFO was made: %v %v", st, err)
	}
}

func TestEscapeLinkedLogFile(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	host := filepath.Join(t.TempDir(), "host")
	if err := os.WriteFile(host, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]func(string, string) error{"symbolic": os.Symlink, "hard": os.Link} {
		target := filepath.Join(dir, Name("web", "stdout", 0))
		if err := link(host, target); err != nil {
			t.Skip(err)
		}
		s := open(t, c, dir, 1, 1000)
		if _, err := writer(t, dir).WriteString("evil\n"); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if b, _ := os.ReadFile(host); string(b) != "precious" {
			t.Errorf("%s link: the host's file now reads %q", name, b)
		}
		if s.Stats().Dropped != 5 {
			t.Errorf("%s link: stats %+v, want 5 bytes dropped", name, s.Stats())
		}
		os.Remove(target)
	}
}

func TestRemovedFileComesBack(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	s := open(t, c, dir, 2, 1<<20)
	w := writer(t, dir)
	write := func(text string) {
		before := s.Stats().Written
		changed := s.Changed()
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		for s.Stats().Written == before {
			<-changed
			changed = s.Changed()
		}
	}
	write("one\n")
	if err := os.Remove(filepath.Join(dir, Name("web", "stdout", 0))); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	s.Close()
	if got := kept(t, dir); got != "two\n" {
		t.Fatalf("kept %q", got)
	}
}

func TestFollowSeesAllAndEnds(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	s := open(t, c, dir, 1000, 500)
	w := writer(t, dir)
	root, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var got bytes.Buffer
	first, end := make(chan struct{}), make(chan error)
	over := false
	go func() {
		req := Request{Task: "web", Kind: "stdout", StreamOptions: files.StreamOptions{Follow: true}}
		seen := false
		end <- Copy(t.Context(), root, req, func() (*Stream, bool) {
			select {
			case <-s.Done():
				return nil, true
			default:
				return s, over
			}
		}, func(f *api.StreamFrame) error {
			got.Write(f.Data)
			if len(f.Data) > 0 && !seen {
				seen = true
				close(first)
			}
			return nil
		})
	}()
	var want strings.Builder
	for i := range 3000 {
		l := fmt.Sprintf("line %d\n", i)
		want.WriteString(l)
		if _, err := w.WriteString(l); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-first
		}
	}
	s.Close()
	if err := <-end; err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Fatalf("followed %d bytes of %d", got.Len(), want.Len())
	}
}

func TestOffsets(t *testing.T) {
	dir := allocDir(t)
	for i, text := range []string{"aaaa\n", "bbbb\n", "cccc\n"} {
		if err := os.WriteFile(filepath.Join(dir, Name("web", "stdout", i+3)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, test := range []struct {
		origin string
		offset int64
		want   string
	}{
		{"", 0, "aaaa\nbbbb\ncccc\n"},
		{files.OriginStart, 7, "bb\ncccc\n"},
		{files.OriginStart, 10, "cccc\n"},
		{files.OriginStart, 15, ""},
		{files.OriginStart, 99, ""},
		{files.OriginEnd, 0, ""},
		{files.OriginEnd, 6, "\ncccc\n"},
		{files.OriginEnd, 99, "aaaa\nbbbb\ncccc\n"},
	} {
		var got bytes.Buffer
		req := Request{Task: "web", Kind: "stdout", StreamOptions: files.StreamOptions{Origin: test.origin, Offset: test.offset}}
		err := Copy(context.Background(), root, req, nil, func(f *api.StreamFrame) error {
			got.Write(f.Data)
			return nil
		})
		if err != nil || got.String() != test.want {
			t.Errorf("origin %q offset %d: %q %v, want %q", test.origin, test.offset, got.String(), err, test.want)
		}
	}
}

// A task that writes as fast as it can, four at once, must cost no more than
// one core and keep no more than it may.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 1 GB")
	}
	c := newCollector(t)
	const tasks, each = 4, 64 << 20
	chunk := bytes.Repeat([]byte(strings.Repeat("x", 127)+"\n"), 512)
	done := make(chan error, tasks)
	var streams []*Stream
	var dirs []string
	for range tasks {
		dir := allocDir(t)
		dirs = append(dirs, dir)
		streams = append(streams, open(t, c, dir, 2, 1<<20))
		w := writer(t, dir)
		go func() {
			for n := 0; n < each; n += len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range tasks {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a flooding task stands still")
		}
	}
	for i, s := range streams {
		s.Close()
		if got := s.Stats(); got.Written != each || got.Dropped != 0 {
			t.Errorf("stats %+v", got)
		}
		var total int64
		names, _ := filepath.Glob(filepath.Join(dirs[i], "alloc/logs/web.stdout.*"))
		for _, name := range names {
			if st, err := os.Stat(name); err == nil {
				total += st.Size()
			}
		}
		if total > 2<<20 {
			t.Errorf("%d bytes kept in %v", total, names)
		}
	}
}

func BenchmarkCarry(b *testing.B) {
	dir := b.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "alloc", "logs"), 0o755); err != nil {
		b.Fatal(err)
	}
	c := New(slog.New(slog.DiscardHandler))
	defer c.Close()
	s, err := c.Open(Config{Dir: dir, Task: "web", Kind: "stdout", MaxFiles: 3, MaxFileSize: 10 << 20})
	if err != nil {
		b.Fatal(err)
	}
	fd, err := syscall.Open(filepath.Join(dir, FIFOName("web", "stdout")), syscall.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer syscall.Close(fd)
	chunk := bytes.Repeat([]byte(strings.Repeat("x", 127)+"\n"), 512)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		if _, err := syscall.Write(fd, chunk); err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
}

// The task's history says that output is lost, once, and how much it was when it ends.
func TestLossIsTold(t *testing.T) {
	dir, c := allocDir(t), newCollector(t)
	target := filepath.Join(dir, Name("web", "stdout", 0))
	if err := os.Symlink("/nonexistent/file", target); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10)
	s, err := c.Open(Config{Dir: dir, Task: "web", Kind: "stdout", MaxFiles: 2, MaxFileSize: 1 << 20, Tell: func(text string) { told <- text }})
	if err != nil {
		t.Fatal(err)
	}
	w := writer(t, dir)
	write := func(text string) {
		t.Helper()
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("lost\n")
	if got := <-told; !strings.Contains(got, "stdout cannot be kept and is lost") {
		t.Errorf("told %q", got)
	}
	for s.Stats().Dropped < 5 {
		runtime.Gosched()
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	for s.Stats().Written == 0 {
		write("kept\n")
		time.Sleep(10 * time.Millisecond)
	}
	s.Close()
	if got, want := <-told, fmt.Sprintf("stdout is kept again: %d bytes were lost", s.Stats().Dropped); !strings.Contains(got, want) {
		t.Errorf("told %q; want %q", got, want)
	}
	if len(told) > 0 {
		t.Errorf("told as well: %q", <-told)
	}
}
