package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func openLog(t testing.TB, dir string, segment int64) *Log {
	t.Helper()
	l, err := Open(Options{Dir: dir, SegmentBytes: segment})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func entry(i uint64) Entry {
	return Entry{Index: i, Term: 1 + i/100, Type: uint8(i % 5), AppendedAt: int64(i) * 7, Data: fmt.Appendf(nil, "data of entry %d %x", i, bytes.Repeat([]byte{byte(i)}, int(i%90))), Extensions: []byte("ext")[:i%4]}
}

func fill(t testing.TB, l *Log, from, to uint64) {
	t.Helper()
	for i := from; i <= to; i++ {
		if err := l.Append([]Entry{entry(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// check fails unless the log holds exactly the entries from first to last.
func check(t testing.TB, l *Log, first, last uint64) {
	t.Helper()
	if l.FirstIndex() != first || l.LastIndex() != last {
		t.Fatalf("log holds %d to %d, want %d to %d", l.FirstIndex(), l.LastIndex(), first, last)
	}
	for i := first; i <= last && i > 0; i++ {
		var e Entry
		if err := l.Get(i, &e); err != nil {
			t.Fatal(err)
		}
		w := entry(i)
		if e.Index != i || e.Term != w.Term || e.Type != w.Type || e.AppendedAt != w.AppendedAt || !bytes.Equal(e.Data, w.Data) || !bytes.Equal(e.Extensions, w.Extensions) {
			t.Fatalf("entry %d is %+v, want %+v", i, e, w)
		}
	}
	var e Entry
	if err := l.Get(last+1, &e); !errors.Is(err, ErrNotFound) {
		t.Fatalf("entry %d after the last: %v", last+1, err)
	}
}

func TestAppendAndReopen(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, 4096)
	fill(t, l, 1, 200)
	check(t, l, 1, 200)
	l.Close()
	l = openLog(t, dir, 4096)
	check(t, l, 1, 200)
	fill(t, l, 201, 210)
	check(t, l, 1, 210)
	if err := l.Append([]Entry{entry(215)}); err == nil {
		t.Error("a gap was taken")
	}
}

// TestSuffixThenRestart cuts the newest entries off and opens the log again:
// entries before the cut must be readable, and the new ones must replace the old.
func TestSuffixThenRestart(t *testing.T) {
	for _, cut := range []uint64{2, 37, 99, 100} {
		dir := t.TempDir()
		l := openLog(t, dir, 2048)
		fill(t, l, 1, 100)
		if err := l.DeleteRange(cut, 100); err != nil {
			t.Fatal(err)
		}
		check(t, l, 1, cut-1)
		l.Close()
		l = openLog(t, dir, 2048)
		check(t, l, 1, cut-1)
		fill(t, l, cut, 150)
		l.Close()
		check(t, openLog(t, dir, 2048), 1, 150)
	}
}

func TestPrefixRemovesFiles(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, 2048)
	fill(t, l, 1, 300)
	before, _ := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err := l.DeleteRange(1, 250); err != nil {
		t.Fatal(err)
	}
	after, _ := filepath.Glob(filepath.Join(dir, "*.wal"))
	if len(after) >= len(before) {
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
	check(t, l, 251, 300)
	l.Close()
	l = openLog(t, dir, 2048)
	check(t, l, 251, 300)
	if err := l.DeleteRange(1, 1000); err != nil {
		t.Fatal(err)
	}
	check(t, l, 0, 0)
	fill(t, l, 5000, 5010) // what a restored snapshot leaves: a new first index
	l.Close()
	check(t, openLog(t, dir, 2048), 5000, 5010)
}

// TestModel compares the log with a plain slice over random operations and
// reopenings.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "wal-model")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		open := func() *Log {
			l, err := Open(Options{Dir: dir, SegmentBytes: 1024})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		l := open()
		defer func() { l.Close() }()
		var first, last uint64 = 1, 0
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0, 1:
				n := rapid.IntRange(1, 12).Draw(t, "n")
				var batch []Entry
				for range n {
					last++
					batch = append(batch, entry(last))
				}
				if err := l.Append(batch); err != nil {
					t.Fatal(err)
				}
			case 2:
				if last >= first {
					cut := rapid.Uint64Range(first, last).Draw(t, "suffix")
					if err := l.DeleteRange(cut, last); err != nil {
						t.Fatal(err)
					}
					last = cut - 1
				}
			case 3:
				if last >= first {
					cut := rapid.Uint64Range(first, last).Draw(t, "prefix")
					if err := l.DeleteRange(first, cut); err != nil {
						t.Fatal(err)
					}
					first = cut + 1
				}
			case 4:
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open()
			}
			wantFirst, wantLast := first, last
			if last < first {
				wantFirst, wantLast = 0, 0
				if last == 0 {
					first = 1
				}
			}
			if l.FirstIndex() != wantFirst || l.LastIndex() != wantLast {
				t.Fatalf("log holds %d to %d, want %d to %d", l.FirstIndex(), l.LastIndex(), wantFirst, wantLast)
			}
			for i := wantFirst; i <= wantLast && i > 0; i++ {
				var e Entry
				if err := l.Get(i, &e); err != nil || !bytes.Equal(e.Data, entry(i).Data) {
					t.Fatalf("entry %d: %v", i, err)
				}
			}
		}
	})
}

// closedLog makes a log with one segment of n entries and returns its file.
func closedLog(t testing.TB, n uint64) (dir, file string, used int64) {
	dir = t.TempDir()
	l := openLog(t, dir, 16<<10)
	fill(t, l, 1, n)
	used = l.segments[0].end
	l.Close()
	return dir, filepath.Join(dir, segmentName(1)), used
}

// TestEveryBitFlip damages every byte of a log in turn: each time the log is
// refused, or still gives every entry as it was written.
func TestEveryBitFlip(t *testing.T) {
	const n = 12
	dir, file, used := closedLog(t, n)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := range used {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(Options{Dir: dir, SegmentBytes: 16 << 10})
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d: %v", at, err)
			}
			refused++
			continue
		}
		check(t, l, 1, n)
		l.Close()
	}
	if refused < int(used)/2 {
		t.Errorf("only %d of %d flips were noticed", refused, used)
	}
	t.Logf("%d of %d flips refused, the others harmless", refused, used)
}

// TestDamagedPageIsRefused overwrites larger parts, with zeros and with noise.
func TestDamagedPageIsRefused(t *testing.T) {
	const n = 60
	dir, file, used := closedLog(t, n)
	good, _ := os.ReadFile(file)
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		from := random.Int64N(used)
		to := min(from+1+random.Int64N(600), used)
		bad := bytes.Clone(good)
		noise := random.IntN(2) == 0
		for i := from; i < to; i++ {
			if bad[i] = 0; noise {
				bad[i] = byte(random.Uint32())
			}
		}
		os.WriteFile(file, bad, 0o600)
		l, err := Open(Options{Dir: dir, SegmentBytes: 16 << 10})
		switch {
		case err == nil && to < used-confirmBytes-int64(frameBytes)-200: // before the last frame
			if !bytes.Equal(bad, good) {
				check(t, l, 1, n) // only padding or confirms were hit
			}
			l.Close()
		case err == nil:
			l.Close()
		case !errors.Is(err, ErrCorrupt):
			t.Fatal(err)
		}
	}
}

// TestTornWriteIsDropped cuts the last frame off at every byte, as a crash
// before its fsync would: the log opens without it, and goes on.
func TestTornWriteIsDropped(t *testing.T) {
	const n = 8
	dir := t.TempDir()
	l := openLog(t, dir, 16<<10)
	fill(t, l, 1, n)
	before := l.segments[0].end
	fill(t, l, n+1, n+1)
	after := l.segments[0].end
	l.Close()
	file := filepath.Join(dir, segmentName(1))
	good, _ := os.ReadFile(file)
	for at := before; at < after-confirmBytes; at++ {
		torn := bytes.Clone(good)
		clear(torn[at:])
		os.WriteFile(file, torn, 0o600)
		l, err := Open(Options{Dir: dir, SegmentBytes: 16 << 10})
		if err != nil {
			t.Fatalf("torn at %d: %v", at, err)
		}
		if l.LastIndex() == n+1 { // only padding was lost
			check(t, l, 1, n+1)
			l.Close()
			continue
		}
		check(t, l, 1, n)
		fill(t, l, n+1, n+3)
		l.Close()
		l = openLog(t, dir, 16<<10)
		check(t, l, 1, n+3)
		l.Close()
	}
}

func TestMissingSegmentIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, 1024)
	fill(t, l, 1, 100)
	l.Close()
	os.Remove(filepath.Join(dir, segmentName(2)))
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}

// TestChangedAfterOpenIsNoticed damages an entry while the log is open.
func TestChangedAfterOpenIsNoticed(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, 16<<10)
	fill(t, l, 1, 3)
	p := l.places[1]
	if _, err := p.segment.file.WriteAt([]byte{0xff}, p.offset+5); err != nil {
		t.Fatal(err)
	}
	var e Entry
	if err := l.Get(2, &e); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	_, file, used := closedLog(f, 5)
	good, _ := os.ReadFile(file)
	f.Add(good[:used])
	f.Add(good[:headerBytes])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, segmentName(1)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(Options{Dir: dir, SegmentBytes: 4096})
		if err != nil {
			return
		}
		defer l.Close()
		var e Entry
		for i := l.FirstIndex(); i <= l.LastIndex() && i > 0; i++ {
			if err := l.Get(i, &e); err != nil {
				t.Fatal(err)
			}
		}
		next := l.LastIndex() + 1
		if err := l.Append([]Entry{{Index: next, Data: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 10000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := openLog(b, b.TempDir(), 0)
			data := make([]byte, size)
			b.SetBytes(int64(size))
			for i := uint64(1); b.Loop(); i++ {
				if err := l.Append([]Entry{{Index: i, Term: 1, Data: data}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestFullDisk fills a small file system: Append says so, acknowledges
// nothing, and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Skip("cannot mount a small file system: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	l := openLog(t, filepath.Join(dir, "log"), 16<<10)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 60<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var last uint64
	var err error
	for i := uint64(1); i < 5000; i++ {
		if err = l.Append([]Entry{entry(i)}); err != nil {
			break
		}
		last = i
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("got %v, want no space left", err)
	}
	check(t, l, 1, last)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	fill(t, l, last+1, last+3)
	l.Close()
	check(t, openLog(t, filepath.Join(dir, "log"), 16<<10), 1, last+3)
}
