package gossip

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// bridge hands the lines of serf's and memberlist's logs to slog. They tell of
// the network in detail, which to an operator is a level less than they think.
type bridge struct {
	log   *slog.Logger
	sieve *sieve
}

func newBridge(l *slog.Logger) *log.Logger { return log.New(bridge{l, &sieve{}}, "", 0) }

// Write takes a line like "[WARN] memberlist: text".
func (b bridge) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelDebug
	if strings.HasPrefix(text, "[ERR") || strings.HasPrefix(text, "[WARN]") {
		level = slog.LevelInfo
		for _, usual := range quiet {
			if strings.Contains(text, usual) {
				level = slog.LevelDebug
			}
		}
	}
	if _, rest, found := strings.Cut(text, "] "); found {
		text = rest
	}
	pass, left := true, 0
	if level > slog.LevelDebug {
		pass, left = b.sieve.pass(text, time.Now())
	}
	if left > 0 {
		b.log.Info("many lines of gossip were alike: most are left out", "left_out", left, "like", firstWords(text))
	}
	if pass {
		b.log.Log(context.Background(), level, text)
	}
	return len(line), nil
}

// quiet are lines that are part of every start and stop, or that admit has said
// better.
var quiet = []string{
	"memberlist: Refuting", "memberlist: ignoring alive message", "memberlist: Failed push/pull merge",
	"memberlist: Conflicting address", "memberlist: Got ping for unexpected node", "serf: Failed to re-join any previously known node",
	"memberlist: Was able to connect", "memberlist: Binding to public address", "serf: Name conflict", "memberlist: Failed to send",
	"memberlist: Push/Pull with", "memberlist: Failed fallback TCP ping", "serf: Shutdown without a Leave",
}

const (
	// ofAKind is how many lines that begin alike are let through in a span: each
	// packet of a stranger makes one, and a stranger must not fill the disk.
	ofAKind = 10
	span    = 10 * time.Second
	// maxKinds bounds the kinds of lines that are told apart.
	maxKinds = 64
)

// sieve counts lines by what they begin with.
type sieve struct {
	mu    sync.Mutex
	kinds map[string]*lines
}

type lines struct {
	since time.Time
	n     int
}

// pass says whether a line is let through; left is how many of its kind were not,
// in the span that is over.
func (s *sieve) pass(text string, now time.Time) (pass bool, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := firstWords(text)
	x := s.kinds[kind]
	if x == nil && len(s.kinds) >= maxKinds {
		kind = ""
		x = s.kinds[kind]
	}
	if x == nil {
		if s.kinds == nil {
			s.kinds = map[string]*lines{}
		}
		x = &lines{since: now}
		s.kinds[kind] = x
	}
	if now.Sub(x.since) >= span {
		left = max(x.n-ofAKind, 0)
		x.since, x.n = now, 0
	}
	x.n++
	return x.n <= ofAKind, left
}

// firstWords are those that tell a kind of line: what differs comes behind.
func firstWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(len(words), 4)], " ")
}
