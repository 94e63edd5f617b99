package consensus

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/server/consensus/wal"
)

func TestLogCache(t *testing.T) {
	log, err := wal.Open(wal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := &logCache{logStore: logStore{log: log, pace: &pace{}, out: slog.New(slog.DiscardHandler)}}
	store := func(from, n uint64, term uint64, data string) {
		t.Helper()
		var logs []*raft.Log
		for i := range n {
			logs = append(logs, &raft.Log{Index: from + i, Term: term, Data: fmt.Appendf(nil, "%s %d", data, from+i)})
		}
		if err := c.StoreLogs(logs); err != nil {
			t.Fatal(err)
		}
	}
	check := func(from, to, term uint64, data string, kept int) {
		t.Helper()
		for i := from; i <= to; i++ {
			var l raft.Log
			if err := c.GetLog(i, &l); err != nil || l.Index != i || l.Term != term || string(l.Data) != fmt.Sprintf("%s %d", data, i) {
				t.Fatalf("entry %d: %d of term %d, %.20q, %v", i, l.Index, l.Term, l.Data, err)
			}
		}
		found, bytes := 0, 0
		for _, l := range c.ring {
			if l != nil {
				found, bytes = found+1, bytes+size(l)
			}
		}
		if found != kept || bytes != c.bytes {
			t.Fatalf("%d entries of %d bytes are kept, counted as %d bytes; want %d", found, bytes, c.bytes, kept)
		}
	}
	store(1, 100, 1, "a")
	check(1, 100, 1, "a", 100)
	store(101, 1000, 1, "a")
	check(1, 1100, 1, "a", cachedEntries)

	// A new leader's entries take the place of the last.
	if err := c.DeleteRange(1051, 1100); err != nil {
		t.Fatal(err)
	}
	if err := c.GetLog(1060, &raft.Log{}); !errors.Is(err, raft.ErrLogNotFound) {
		t.Fatalf("a deleted entry: %v", err)
	}
	check(600, 1050, 1, "a", 0)
	store(1051, 20, 2, "b")
	check(1051, 1070, 2, "b", 20)
	check(1, 1050, 1, "a", 20)

	// Large ones are kept by their bytes, the newest always.
	const large = cachedBytes / 4
	for i := range uint64(10) {
		if err := c.StoreLog(&raft.Log{Index: 1071 + i, Term: 2, Data: make([]byte, large)}); err != nil {
			t.Fatal(err)
		}
	}
	if c.low != 1077 || c.high != 1080 || c.bytes != 4*large {
		t.Fatalf("%d to %d are kept, %d bytes", c.low, c.high, c.bytes)
	}
	if err := c.StoreLog(&raft.Log{Index: 1081, Term: 2, Data: make([]byte, cachedBytes+1)}); err != nil {
		t.Fatal(err)
	}
	if c.low != 1081 || c.bytes != cachedBytes+1 {
		t.Fatalf("%d to %d are kept, %d bytes", c.low, c.high, c.bytes)
	}
	for i := uint64(1071); i <= 1081; i++ {
		var l raft.Log
		if err := c.GetLog(i, &l); err != nil || l.Index != i || len(l.Data) < large {
			t.Fatalf("entry %d: %d bytes, %v", i, len(l.Data), err)
		}
	}
}
