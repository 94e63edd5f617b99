package consensus

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// survivor gives a server of a cluster of three whose other servers are gone.
func survivor(t *testing.T) *member {
	t.Helper()
	all := startCluster(t, 3)
	write(t, "before", all...)
	if err := all[0].Compact(context.Background()); err != nil {
		t.Log(err) // it may have nothing yet
	}
	write(t, "kept", all...)
	sameState(t, "kept", all...)
	for _, m := range all {
		m.stop(t)
	}
	return all[0]
}

func TestPeersFileMakesAClusterOfOne(t *testing.T) {
	last := survivor(t)
	path := filepath.Join(last.cfg.Dir, peersFile)
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, bad := range map[string]string{
		"no JSON":        "{",
		"another server": `[{"id":"server-9","address":"127.0.0.1:1"}]`,
		"no voter":       `[{"id":"server-1","address":"` + last.cfg.Address + `","non_voter":true}]`,
	} {
		put(bad)
		cfg := config(last.cfg.Dir)
		r, err := Open(cfg)
		if err == nil {
			r.Close()
			t.Fatalf("%s: the server starts", name)
		}
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error names no file: %v", name, err)
		}
	}
	text, err := json.Marshal([]map[string]any{{"id": last.cfg.ID, "address": last.cfg.Address}})
	if err != nil {
		t.Fatal(err)
	}
	put(string(text))
	m := startMember(t, last.cfg.ID, last.cfg.Dir, last.cfg.Address, nil)
	awaitLeader(t, m.Raft)
	aloneWithState(t, m)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file would be followed again: %v", err)
	}
	kept, _ := filepath.Glob(filepath.Join(last.cfg.Dir, keptPrefix+"*", "log", "*.wal"))
	if len(kept) == 0 {
		t.Error("what was replaced is not kept")
	}
	m = m.restart(t)
	awaitLeader(t, m.Raft)
	aloneWithState(t, m)
}

func aloneWithState(t *testing.T, m *member) {
	t.Helper()
	if c, err := m.Configuration(); err != nil || len(c.Servers) != 1 {
		t.Errorf("the servers are %+v (%v)", c, err)
	}
	for _, name := range []string{"before", "kept"} {
		if !hasNamespace(m.Raft, name) {
			t.Errorf("%s is lost", name)
		}
	}
	write(t, "after", m)
}

func TestRecoverOffline(t *testing.T) {
	last := survivor(t)
	found, err := ReadOffline(last.cfg.Dir, last.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Servers) != 3 || found.LastIndex == 0 || found.Term == 0 {
		t.Errorf("found %+v", found)
	}
	if _, ok := found.View.Namespace("kept"); !ok {
		t.Error("what was read lacks the end of the log")
	}
	// Reading changes nothing: the server is still one of three.
	if again, err := ReadOffline(last.cfg.Dir, last.cfg.ID); err != nil || len(again.Servers) != 3 {
		t.Fatalf("%+v, %v", again, err)
	}
	kept, err := RecoverOffline(last.cfg.Dir, last.cfg.ID, last.cfg.Address)
	if err != nil {
		t.Fatal(err)
	}
	// What was kept is a server of three, as it was.
	if before, err := ReadOffline(kept, last.cfg.ID); err != nil || len(before.Servers) != 3 {
		t.Errorf("%+v, %v", before, err)
	}
	m := startMember(t, last.cfg.ID, last.cfg.Dir, last.cfg.Address, nil)
	awaitLeader(t, m.Raft)
	aloneWithState(t, m)
	if _, err := ReadOffline(t.TempDir(), "x"); err == nil {
		t.Error("an empty directory is taken for a server's")
	}
}
