package client

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/client/store"
	"github.com/seraihq/serai/internal/pause"
)

const (
	// aloneEvery is how often the time since the last contact is looked at.
	aloneEvery = time.Second
	// keepContactEvery is how often that time is written down, for the next agent.
	keepContactEvery = 5 * time.Second
	// longestAnswer is how long servers within reach may take to answer.
	longestAnswer = 2 * time.Second
)

// aloneLoop stops allocations whose group does not want to run for long on a
// node that is out of the servers' reach (disconnect.stop_on_client_after). The
// others run on; what stays is decided when the servers are reached again.
func (c *Client) aloneLoop(ctx context.Context) {
	var kept time.Time
	for pause.For(ctx, aloneEvery) {
		limit := c.shortestAlone()
		if limit == 0 {
			continue
		}
		heard := c.heard()
		if heard.Sub(kept) >= keepContactEvery {
			kept = heard
			c.keepContact(heard)
		}
		if alone := time.Since(heard); c.outOfReach(limit) {
			c.stopAlone(alone)
		} else if alone >= limit/3 {
			poke(c.probe)
		}
	}
}

// shortestAlone gives the shortest time that an allocation here may run without
// the servers; 0 when all may for ever.
func (c *Client) shortestAlone() time.Duration {
	var shortest time.Duration
	for _, e := range c.entries() {
		if limit := e.StopAfter(); limit > 0 && !e.Over() && (shortest == 0 || limit < shortest) {
			shortest = limit
		}
	}
	return shortest
}

// stopAlone stops what must not run for that long without the servers.
func (c *Client) stopAlone(alone time.Duration) {
	for _, e := range c.entries() {
		limit := e.StopAfter()
		if limit > 0 && alone >= limit && !e.Over() && e.StopAlone(alone) {
			c.logger.Warn("the servers are out of reach: an allocation is stopped", "alloc_id", e.ID(), "for", alone.Round(time.Second), "stop_on_client_after", limit)
		}
	}
}

// outOfReach says whether the servers were asked since they were last heard, and
// did not answer. That they were not heard means nothing before: the times between
// heartbeats are the servers' choice, and can be longer than an allocation's limit.
func (c *Client) outOfReach(limit time.Duration) bool {
	c.lastN.mu.Lock()
	defer c.lastN.mu.Unlock()
	return c.lastN.refused || !c.lastN.asked.IsZero() && time.Since(c.lastN.asked) >= min(limit/3, longestAnswer)
}

// asking notes that the servers are sent a heartbeat.
func (c *Client) asking() {
	c.lastN.mu.Lock()
	defer c.lastN.mu.Unlock()
	if c.lastN.asked.IsZero() {
		c.lastN.asked = time.Now()
	}
}

// refused notes that a heartbeat has failed.
func (c *Client) refused() {
	c.lastN.mu.Lock()
	defer c.lastN.mu.Unlock()
	c.lastN.refused = true
}

// heard gives when the servers were last heard of, by this agent or one before it.
func (c *Client) heard() time.Time {
	c.lastN.mu.Lock()
	defer c.lastN.mu.Unlock()
	return c.lastN.heard
}

// keepContact writes down when the servers were last heard, by a clock that
// nobody sets.
func (c *Client) keepContact(heard time.Time) {
	boot, up, err := c.cfg.bootClock()
	if err == nil {
		err = c.store.PutContact(store.Contact{Boot: boot, Up: up - time.Since(heard), Wall: heard})
	}
	if err != nil {
		c.logger.Warn("the time of the last contact with the servers is not kept", "err", err)
	}
}

// lastContact gives when an earlier agent last heard of the servers; now when
// there was none. After a boot only the clock on the wall is left to ask.
func (c *Client) lastContact() time.Time {
	now := time.Now()
	kept, err := c.store.Contact()
	if err != nil || kept.Wall.IsZero() {
		return now
	}
	alone := now.Round(0).Sub(kept.Wall)
	if boot, up, err := c.cfg.bootClock(); err == nil && boot == kept.Boot {
		alone = up - kept.Up
	}
	return now.Add(-max(0, alone))
}

// bootClock tells the time since the machine was started, its sleep included,
// and which start that was.
func bootClock() (boot string, up time.Duration, err error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0, err
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return "", 0, fmt.Errorf("boot time: %w", err)
	}
	return strings.TrimSpace(string(id)), time.Duration(ts.Nano()), nil
}
