package logx

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTextLines(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	log := slog.New(Handler(&out, Options{Level: level})).With("component", "client")
	log.Info("task started", "task", "web", "err", errors.New("two words"), "empty", "")
	log.Debug("not shown")
	log.WithGroup("g").Warn("a\nb", "k", "x\ny")
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("want 2 lines, got %d:\n%s", len(lines), out.String())
	}
	if _, rest, _ := strings.Cut(lines[0], "Z "); rest != `[INFO]  client: task started: task=web err="two words" empty=""` {
		t.Errorf("line 1: %s", lines[0])
	}
	if _, rest, _ := strings.Cut(lines[1], "Z "); rest != `[WARN]  client: "a\nb": g.k="x\ny"` {
		t.Errorf("line 2: %s", lines[1])
	}
}

func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	slog.New(Handler(&out, Options{Level: LevelTrace, JSON: true})).With("component", "server").Error("gone", "err", "x")
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"@level": "error", "@message": "gone", "@module": "server", "err": "x"} {
		if got[k] != want {
			t.Errorf("%s = %v, want %q", k, got[k], want)
		}
	}
}

func TestFileRotates(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFile(filepath.Join(dir, "a.log"), 10, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 5 {
		if _, err := f.Write([]byte("1234567\n")); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 { // the file and two old ones
		t.Errorf("want 3 files, got %v", entries)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "a.log")); string(b) != "1234567\n" {
		t.Errorf("the current file holds %q", b)
	}
}

// TestNoRoomForAnother has the folder be away when the file is full: lines go on
// into the old file, and into a new one as soon as there can be one.
func TestNoRoomForAnother(t *testing.T) {
	dir := t.TempDir()
	at, away := filepath.Join(dir, "at"), filepath.Join(dir, "away")
	f, err := OpenFileMode(filepath.Join(at, "x.log"), 0o640, 10, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(line string) {
		if _, err := f.Write([]byte(line)); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	write("first___\n")
	if err := os.Rename(at, away); err != nil {
		t.Fatal(err)
	}
	write("second__\n")
	if err := errors.Join(os.RemoveAll(at), os.Rename(away, at)); err != nil {
		t.Fatal(err)
	}
	write("third___\n")
	all, _ := filepath.Glob(filepath.Join(at, "*.log"))
	text := ""
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	if text != "first___\nsecond__\nthird___\n" || len(all) != 2 {
		t.Errorf("%d files: %q", len(all), text)
	}
	if info, err := os.Stat(filepath.Join(at, "x.log")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info, err)
	}
}
