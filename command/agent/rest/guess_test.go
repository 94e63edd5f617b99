package rest

import (
	"fmt"
	"testing"
	"time"
)

// TestGuesses slows wrong secrets down by address, and forgets those who stop.
func TestGuesses(t *testing.T) {
	var g guesses
	now := time.Unix(1_700_000_000, 0)
	for i := range freeGuesses {
		if hold, ok := g.wrong("a", now); hold != 0 || !ok {
			t.Fatalf("guess %d is held for %v", i, hold)
		}
	}
	last := time.Duration(0)
	for i := range maxHeldAtOnce {
		hold, ok := g.wrong("a", now)
		if !ok || hold <= last && hold != maxHeld {
			t.Fatalf("guess %d: %v after %v, %v", i, hold, last, ok)
		}
		last = hold
	}
	if _, ok := g.wrong("a", now); ok {
		t.Error("any number of answers is held back at once")
	}
	if hold, ok := g.wrong("b", now); hold != 0 || !ok {
		t.Error("one address pays for another")
	}
	for range maxHeldAtOnce {
		g.released("a")
	}
	if hold, _ := g.wrong("a", now.Add(time.Second)); hold != maxHeld {
		t.Errorf("held for %v", hold)
	}
	g.released("a")
	if hold, _ := g.wrong("a", now.Add(time.Hour)); hold != 0 {
		t.Errorf("an hour later: held for %v", hold)
	}
	for i := range 3 * maxGuessers {
		g.wrong(fmt.Sprint(i), now)
	}
	if len(g.from) > maxGuessers {
		t.Errorf("%d addresses are remembered", len(g.from))
	}
}
