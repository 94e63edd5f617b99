package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/seraihq/serai/api"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// journal is a log that a test can look into.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) has(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), text)
}

// peer is a server of a test.
type peer struct {
	*Gossip
	log *journal
}

func open(t *testing.T, name string, change func(*Config)) peer {
	t.Helper()
	j := &journal{}
	c := Config{
		Self: Server{Name: name + ".global", ID: "id-" + name, Region: "global", Datacenter: "dc1", Build: "1.0.0", Address: "127.0.0.1:4647", ProtocolMin: 1, ProtocolMax: 2},
		Host: "127.0.0.1", Logger: slog.New(slog.NewTextHandler(j, nil)), hasty: true,
	}
	if change != nil {
		change(&c)
	}
	g, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Close()
		if t.Failed() {
			j.mu.Lock()
			t.Logf("log of %s:\n%s", name, j.text.String())
			j.mu.Unlock()
		}
	})
	return peer{g, j}
}

// until waits for a condition, looking at it again with every change of one of
// the servers and now and then besides.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// sees gives the states of the members as a server sees them.
func (p peer) sees() string {
	var parts []string
	for _, s := range p.Servers() {
		parts = append(parts, fmt.Sprintf("%s=%s", strings.TrimSuffix(s.Name, ".global"), s.Status))
	}
	return strings.Join(parts, " ")
}

func awaitView(t *testing.T, want string, peers ...peer) {
	t.Helper()
	for _, p := range peers {
		until(t, fmt.Sprintf("%s sees %q", p.current().Name, want), func() bool { return p.sees() == want })
	}
}

func TestServersFindEachOtherAndLeave(t *testing.T) {
	a, b, c := open(t, "a", nil), open(t, "b", nil), open(t, "c", func(c *Config) { c.Self.Expect, c.Self.Zone, c.Self.Nonvoter = 3, "east", true })
	if n, err := b.Join([]string{a.Address()}); n != 1 || err != nil {
		t.Fatalf("join: %d, %v", n, err)
	}
	if _, err := c.Join([]string{"127.0.0.1:1", b.Address()}); err != nil {
		t.Fatalf("join with one address that works: %v", err)
	}
	awaitView(t, "a=alive b=alive c=alive", a, b, c)
	for _, s := range a.Servers() {
		if s.ID == "id-c" && (s.Expect != 3 || s.Zone != "east" || !s.Nonvoter || s.Address != "127.0.0.1:4647" || s.Gossip != c.Address()) {
			t.Errorf("c as a sees it: %+v", s)
		}
	}
	if err := b.SetCluster("one"); err != nil {
		t.Fatal(err)
	}
	until(t, "a hears of b's cluster", func() bool { return a.Servers()[1].Cluster == "one" })
	if err := c.Leave(); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=alive c=left", a, b)
	if err := a.ForceLeave("b", false); !errors.Is(err, api.ErrConflict) {
		t.Errorf("forcing out a living server: %v", err)
	}
	if err := a.ForceLeave("nobody", false); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("forcing out a stranger: %v", err)
	}
	b.Close()
	awaitView(t, "a=alive b=failed c=left", a)
	if err := a.ForceLeave("b.global", false); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=left c=left", a)
	if err := a.ForceLeave("id-c", true); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=left", a)
	until(t, "a remembers that c was forgotten", func() bool {
		r := a.Removed()
		return len(r) == 1 && r[0].ID == "id-c" && r[0].Status == Left
	})
	if _, err := a.Join([]string{"127.0.0.1:1"}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("joining nobody: %v", err)
	}
}

func TestStrangersAreRefusedOnBothSides(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		first, second func(*Config)
		reason        string // in both logs; empty: the error of the join alone
	}{
		"region":           {nil, func(c *Config) { c.Self.Region = "moon" }, "of region"},
		"cluster":          {func(c *Config) { c.Self.Cluster = "one" }, func(c *Config) { c.Self.Cluster = "two" }, "another cluster"},
		"name":             {nil, func(c *Config) { c.Self.Name, c.Self.ID = "a.global", "id-other" }, "name"},
		"id":               {nil, func(c *Config) { c.Self.ID = "id-a" }, "data_dir copied"},
		"one encrypts":     {func(c *Config) { c.Key = key }, nil, ""},
		"other encrypts":   {nil, func(c *Config) { c.Key = key }, ""},
		"keys that differ": {func(c *Config) { c.Key = key }, func(c *Config) { c.Key, _ = NewKey() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t, "a", c.first), open(t, "b", c.second)
			_, err := b.Join([]string{a.Address()})
			if err == nil || c.reason == "" && !strings.Contains(err.Error(), "encrypt") {
				t.Errorf("the join was not refused clearly: %v", err)
			}
			if c.reason != "" {
				for _, p := range []peer{a, b} {
					until(t, "the refusal is logged", func() bool { return p.log.has(c.reason) })
				}
			}
			for _, p := range []peer{a, b} {
				if got := p.Servers(); len(got) != 1 {
					t.Errorf("%s is half joined: %s", p.current().Name, p.sees())
				}
			}
		})
	}
}

func TestClocksMustAgree(t *testing.T) {
	now := time.Now()
	at := func(name string, clock time.Time) Server {
		return Server{Name: name + ".global", ID: "id-" + name, Region: "global", Address: "127.0.0.1:4647", Clock: clock}
	}
	judge := func(said ...time.Time) error {
		a := newAdmitter(func() Server { return at("self", now) }, slog.New(slog.DiscardHandler))
		var servers []*Server
		for i, c := range said {
			s := at(fmt.Sprint(i), c)
			servers = append(servers, &s)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.refuse(newestOf(servers), clocks(newestOf(servers), now))
	}
	for _, c := range []struct {
		clocks []time.Time
		ok     bool
	}{
		{[]time.Time{now}, true},
		{[]time.Time{now.Add(4 * time.Minute)}, true},
		{[]time.Time{now.Add(-time.Hour), now.Add(-5 * time.Minute)}, true}, // one that failed long ago says nothing
		{[]time.Time{now.Add(6 * time.Minute)}, false},
		{[]time.Time{now.Add(-time.Hour), now.Add(-10 * time.Minute)}, false},
	} {
		if err := judge(c.clocks...); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.clocks, err)
		}
	}
}

// TestAMovedServerComesBack: the name and ID stay, the address is another.
func TestAMovedServerComesBack(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, "a", nil), open(t, "b", func(c *Config) { c.Dir = dir })
	if _, err := b.Join([]string{a.Address()}); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=alive", a, b)
	was := b.Address()
	b.Close()
	b = open(t, "b", func(c *Config) { c.Dir, c.Self.Address = dir, "127.0.0.1:5000" }) // joins whom it remembers
	until(t, "a sees b at its new address", func() bool {
		for _, s := range a.Servers() {
			if s.ID == "id-b" {
				return s.Status == Alive && s.Gossip == b.Address() && s.Address == "127.0.0.1:5000" && s.Gossip != was
			}
		}
		return false
	})
	awaitView(t, "a=alive b=alive", a, b)
}

// TestAReplacementTakesTheName: a new server, with another ID, under the name of
// one that is gone.
func TestAReplacementTakesTheName(t *testing.T) {
	a, b := open(t, "a", nil), open(t, "b", nil)
	if _, err := b.Join([]string{a.Address()}); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=alive", a, b)
	b.Close()
	n := open(t, "b", func(c *Config) { c.Self.ID = "id-new" })
	until(t, "the join is taken", func() bool {
		_, err := n.Join([]string{a.Address()})
		return err == nil
	})
	until(t, "a sees the new b", func() bool {
		s := a.Servers()
		return len(s) == 2 && s[1].ID == "id-new" && s[1].Status == Alive
	})
}

// TestAnEmptiedServerComesBack: a server that starts with an empty directory is
// another one at the same address, under the same name. It answers as what it was
// before anybody could miss that.
func TestAnEmptiedServerComesBack(t *testing.T) {
	a, b := open(t, "a", nil), open(t, "b", nil)
	if _, err := b.Join([]string{a.Address()}); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=alive", a, b)
	_, port, err := net.SplitHostPort(b.Address())
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	n := open(t, "b", func(c *Config) {
		c.Self.ID = "id-new"
		c.Port, _ = strconv.Atoi(port)
	})
	until(t, "the join is taken", func() bool {
		_, err := n.Join([]string{a.Address()})
		return err == nil
	})
	until(t, "a sees the new b", func() bool {
		s := a.Servers()
		return len(s) == 2 && s[1].ID == "id-new" && s[1].Status == Alive
	})
}

func TestKeysAreRotated(t *testing.T) {
	first, _ := NewKey()
	second, _ := NewKey()
	dir := t.TempDir()
	a := open(t, "a", func(c *Config) { c.Key, c.Dir = first, dir })
	b := open(t, "b", func(c *Config) { c.Key = first })
	if _, err := b.Join([]string{a.Address()}); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=alive", a, b)
	if _, err := a.RemoveKey(first); err == nil {
		t.Error("the key in use was removed")
	}
	for _, step := range []func(api.Sensitive) (*api.KeyringResponse, error){a.InstallKey, b.UseKey} {
		if r, err := step(second); err != nil || r.NumNodes != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if r, err := b.RemoveKey(first); err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	r, err := a.ListKeys()
	if err != nil || len(r.Keys) != 1 || r.Keys[second.Reveal()] != 2 || r.PrimaryKeys[second.Reveal()] != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if a.Key() != second || b.Key() != second {
		t.Error("what servers that join are told is not the key in use")
	}
	path := filepath.Join(dir, "keyring")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	a.Close()
	a = open(t, "a", func(c *Config) { c.Key, c.Dir = first, dir }) // the file holds, not the old key of the configuration
	until(t, "they meet again with the new key", func() bool { return a.sees() == "a=alive b=alive" && b.sees() == "a=alive b=alive" })
	if !a.log.has("the file holds") {
		t.Error("nobody was told that the configured key is not in use")
	}
	plain := open(t, "c", nil)
	if _, err := plain.ListKeys(); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("keys of one that does not encrypt: %v", err)
	}
}

func TestADamagedKeyringIsRefused(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `["x"]`, `["AAAA"]`, `["` + strings.Repeat(`","`, 20) + `"]`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "keyring"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if g, err := Open(Config{Self: Server{Name: "a.global", ID: "a", Region: "global", Address: "127.0.0.1:1"}, Host: "127.0.0.1", Dir: dir}); err == nil {
			g.Close()
			t.Errorf("%q was taken", text)
		}
	}
}

func FuzzDecodeTags(f *testing.F) {
	s := Server{Name: "a.global", ID: "a", Region: "global", Datacenter: "dc1", Address: "[::1]:4647", Expect: 3, Nonvoter: true, Zone: "z", Cluster: "c", Clock: time.Unix(5, 0), ProtocolMin: 1, ProtocolMax: 3}
	seed := bytes.NewBuffer([]byte{metaTags})
	if err := codec.NewEncoder(seed, &codec.MsgpackHandle{}).Encode(s.tags()); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	f.Add([]byte("nomad"))
	f.Fuzz(func(t *testing.T, meta []byte) {
		tags, err := decodeMeta(meta)
		if err != nil {
			return
		}
		s, err := decode("a.global", tags)
		if err != nil {
			return
		}
		again, err := decode("a.global", s.tags())
		if err != nil || *again != *s {
			t.Fatalf("%+v became %+v: %v", s, again, err)
		}
	})
}

func FuzzDecodeKeys(f *testing.F) {
	f.Add([]byte(`["AAAAAAAAAAAAAAAAAAAAAA=="]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := decodeKeys(data)
		for _, k := range keys {
			if err == nil && len(k) != 16 && len(k) != 24 && len(k) != 32 {
				t.Fatalf("a key of %d bytes", len(k))
			}
		}
	})
}
