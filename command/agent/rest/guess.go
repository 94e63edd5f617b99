package rest

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// freeGuesses is how many wrong secrets in a row an address may send before
	// the answers to further ones are held back.
	freeGuesses = 10
	// maxHeld is the longest that an answer is held back, and forgiven how long
	// an address must have been quiet to begin anew.
	maxHeld  = 2 * time.Second
	forgiven = time.Minute
	// maxHeldAtOnce bounds the answers that are held back at a time for one
	// address; further guesses are refused at once, as too many.
	maxHeldAtOnce = 8
	// maxGuessers bounds the addresses that are remembered.
	maxGuessers = 8192
)

// guesses slows down who tries secrets. Only answers to wrong secrets are held
// back, so that nobody with a right one is ever hindered, from whatever address.
type guesses struct {
	mu   sync.Mutex
	from map[string]*guesser
}

type guesser struct {
	wrong int
	held  int
	last  time.Time
}

// wrong notes a wrong secret from an address, and says for how long to hold the
// answer back; ok is false when too many are held back already.
func (g *guesses) wrong(address string, now time.Time) (hold time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.from == nil {
		g.from = map[string]*guesser{}
	}
	x := g.from[address]
	if x == nil {
		g.makeRoom(now)
		x = &guesser{}
		g.from[address] = x
	}
	if x.held == 0 && now.Sub(x.last) > forgiven {
		x.wrong = 0
	}
	x.wrong++
	x.last = now
	if x.wrong <= freeGuesses {
		return 0, true
	}
	if x.held >= maxHeldAtOnce {
		return 0, false
	}
	x.held++
	return min(10*time.Millisecond<<min(x.wrong-freeGuesses, 10), maxHeld), true
}

// released notes that an answer is held back no more.
func (g *guesses) released(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if x := g.from[address]; x != nil && x.held > 0 {
		x.held--
	}
}

// makeRoom forgets addresses that were quiet for long, and if that is not enough
// any others whose answers are not held back.
func (g *guesses) makeRoom(now time.Time) {
	if len(g.from) < maxGuessers {
		return
	}
	for address, x := range g.from {
		if x.held == 0 && now.Sub(x.last) > forgiven {
			delete(g.from, address)
		}
	}
	for address, x := range g.from {
		if len(g.from) < maxGuessers {
			return
		}
		if x.held == 0 {
			delete(g.from, address)
		}
	}
}

// hold holds the answer to a wrong secret back. It says false, and at once, when
// too many are held back already.
func (g *guesses) hold(r *http.Request) bool {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	wait, ok := g.wrong(address, time.Now())
	if !ok || wait == 0 {
		return ok
	}
	defer g.released(address)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
	return true
}

// slow does that for a request which can still be answered. It says whether it
// has been.
func (g *guesses) slow(w http.ResponseWriter, r *http.Request) (answered bool) {
	if g.hold(r) {
		return false
	}
	w.Header().Set("Retry-After", "2")
	http.Error(w, "too many wrong tokens from this address; wait a moment", http.StatusTooManyRequests)
	return true
}
