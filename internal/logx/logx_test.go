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
