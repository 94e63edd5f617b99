package listen

import (
	"context"
	"crypto/tls"
	"runtime"
	"slices"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

const (
	// gatePlaces is how many handshakes may be worked on at a time, for each
	// processor. When a server is
	// gone, its thousands of clients come to the others at once; without a bound
	// their signatures would keep everything else waiting for seconds, elections too.
	gatePlaces = 16
	// gateHold is how long a handshake keeps its place at the most: one that waits
	// for the other side works on nothing.
	gateHold = 20 * time.Millisecond
)

// gate lets so many handshakes begin at a time.
type gate chan struct{}

func newGate() gate { return make(gate, gatePlaces*runtime.GOMAXPROCS(0)) }

// enter waits for a place, and gives it back after gateHold.
func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	time.AfterFunc(gateHold, func() { <-g })
	return nil
}

// guarding makes a configuration whose handshakes go through the gate as soon as
// the caller has said the first word; what costs work comes after it. Those of
// Raft, which are few, are not kept waiting: it may be electing.
func (g gate) guarding(c *tls.Config) *tls.Config {
	if c.GetConfigForClient == nil {
		return c
	}
	choose := c.GetConfigForClient
	c = c.Clone()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !slices.Contains(hello.SupportedProtos, tlsx.ProtoRaft) {
			if err := g.enter(hello.Context()); err != nil {
				return nil, err
			}
		}
		return choose(hello)
	}
	return c
}
