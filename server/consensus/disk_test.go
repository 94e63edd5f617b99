package consensus

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// TestFullDisk fills the disk under a server: commands fail and are not
// applied, the server lives, and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=33m"); err != nil {
		t.Skip("cannot mount a small file system: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := open(t, config(filepath.Join(dir, "raft")))
	putNamespace(t, r, "before")
	filler := filepath.Join(dir, "filler")
	_ = os.WriteFile(filler, make([]byte, 2<<20), 0o600) // as much as there is room for
	big := strings.Repeat("x", 4<<20)
	var refused string
	for n := 0; refused == ""; n++ {
		name := strings.Repeat("n", n+1)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_, err := r.Do(ctx, &fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: name, Description: big}}})
		cancel()
		if err != nil {
			t.Log(err)
			refused = name
			if !errors.Is(err, api.ErrUnavailable) && !errors.Is(err, api.ErrNoLeader) {
				t.Errorf("the kind of %v is wrong", err)
			}
		}
		if n > 20 {
			t.Fatal("the disk does not fill")
		}
	}
	if hasNamespace(r, refused) {
		t.Error("a command that the disk did not take was applied")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filler, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// The segment has no room for a big entry, but has for small ones.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if err := r.awaitLeadership(ctx, r.raft.LeaderCh()); err != nil {
			t.Fatal(err)
		}
		_, err := r.Do(ctx, &fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: "after"}}})
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	r.Close()
	again := open(t, config(filepath.Join(dir, "raft")))
	if !hasNamespace(again, "before") || !hasNamespace(again, "after") || hasNamespace(again, refused) {
		t.Error("the state after a restart is not what was acknowledged")
	}
}

// TestStableSurvivesDamage flips every byte of the file with term and vote,
// and cuts a write off at every byte.
func TestStableSurvivesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable")
	s, err := openStable(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetUint64([]byte("term"), 6); err != nil {
		t.Fatal(err)
	}
	s.Close()
	older, _ := os.ReadFile(path)
	if s, err = openStable(path); err != nil {
		t.Fatal(err)
	}
	if err := s.SetUint64([]byte("term"), 7); err != nil {
		t.Fatal(err)
	}
	s.Close()
	newer, _ := os.ReadFile(path)
	read := func(what string, b []byte, want ...uint64) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openStable(path)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer s.Close()
		got, err := s.GetUint64([]byte("term"))
		for _, w := range want {
			if err == nil && got == w {
				return
			}
		}
		t.Fatalf("%s: term is %d, %v", what, got, err)
	}
	for at := 0; at < len(newer); at += 1 + at%173 {
		bad := bytes.Clone(newer)
		bad[at] ^= 4
		read("flip", bad, 7)
		torn := append(bytes.Clone(newer[:at]), older[at:]...)
		if at < copyBytes {
			read("torn", torn, 6, 7)
		} else {
			read("torn", torn, 7)
		}
	}
	bad := bytes.Clone(newer)
	bad[3] ^= 1
	bad[copyBytes+3] ^= 1
	os.WriteFile(path, bad, 0o600)
	if _, err := openStable(path); err == nil {
		t.Error("a file with both copies damaged was taken")
	}
}
