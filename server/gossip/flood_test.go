package gossip

import (
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestFloodOfPackets has a stranger without a key send packets of every kind, as
// fast as it can, over UDP and TCP: nobody is taken for dead or for a member,
// nothing piles up, and the log can be read afterwards.
func TestFloodOfPackets(t *testing.T) {
	packets, streams := 20_000, 50
	if os.Getenv("SERAI_SECURITY") == "all" {
		packets, streams = 1_000_000, 2_000
	}
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	keyed := func(c *Config) { c.Key, c.hasty = key, false } // packets are lost in a flood: times are as they are outside of tests
	a, b := open(t, "a", keyed), open(t, "b", keyed)
	if _, err := b.Join([]string{a.Address()}); err != nil {
		t.Fatal(err)
	}
	awaitView(t, "a=alive b=alive", a, b)
	before := memory()
	c, err := net.Dial("udp", a.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	random := rand.New(rand.NewPCG(1, 2))
	packet := make([]byte, 1400)
	for i := range packets {
		p := packet[:1+random.IntN(len(packet))]
		for j := range p {
			p[j] = byte(random.Uint32())
		}
		p[0] = byte(i % 32) // the kinds of messages are numbers from 0 on
		if i%64 == 0 {
			p[0] = 244 // a label
		}
		_, _ = c.Write(p) // what does not fit is lost, as it would be
		if i%4096 == 0 && len(a.Servers()) != 2 {
			t.Fatalf("after %d packets: %s", i, a.sees())
		}
	}
	for i := range streams {
		s, err := net.DialTimeout("tcp", a.Address(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write(append([]byte{byte(i % 32)}, packet...))
		_ = s.Close()
	}
	awaitView(t, "a=alive b=alive", a, b)
	for _, p := range []peer{a, b} {
		if p.log.has("server left") || p.log.has("does not answer any more") {
			t.Error("a member was not there for a while")
		}
	}
	if grown := memory() - before; grown > 64<<20 {
		t.Errorf("%d MiB are kept", grown>>20)
	}
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	if lines := a.log.text.Len(); lines > 256<<10 {
		t.Errorf("the log has %d KiB of it", lines>>10)
	}
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestSieve(t *testing.T) {
	var s sieve
	now := time.Unix(0, 0)
	passed := 0
	for range 1000 {
		if ok, left := s.pass("memberlist: Decrypt packet failed: of somebody", now); left != 0 {
			t.Errorf("%d are left out before the span is over", left)
		} else if ok {
			passed++
		}
	}
	if ok, _ := s.pass("serf: something else", now); !ok || passed != ofAKind {
		t.Errorf("%d passed; another kind: %v", passed, ok)
	}
	if ok, left := s.pass("memberlist: Decrypt packet failed: of another", now.Add(span)); !ok || left != 1000-ofAKind {
		t.Errorf("after the span: %v, and %d were left out", ok, left)
	}
	for i := range 10 * maxKinds {
		s.pass(string(rune('a'+i%26))+string(rune('a'+i/26))+" kind", now)
	}
	if len(s.kinds) > maxKinds+1 {
		t.Errorf("%d kinds are kept", len(s.kinds))
	}
}
