package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/seraihq/serai/api"
)

const (
	// firstRetry and lastRetry bound the wait before servers are asked again.
	firstRetry = 10 * time.Millisecond
	lastRetry  = 5 * time.Second
	// defaultTTL is taken when a server names none.
	defaultTTL = 10 * time.Second
	// resyncEvery is how often all that should run is compared with what does.
	resyncEvery = 2 * time.Minute
	// spreadShare is the part of a heartbeat's time over which clients come back
	// whose streams have broken: servers make that time longer when there are many
	// of them, and the clients of a server that is gone all notice at once.
	spreadShare = 50
)

// backoff is the wait between attempts; it doubles up to lastRetry.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

func (b *backoff) wait() time.Duration {
	b.next = min(max(firstRetry, b.next*2), lastRetry)
	return b.next/2 + rand.N(b.next/2+1)
}

// registerLoop keeps the node registered and alive.
func (c *Client) registerLoop(ctx context.Context) {
	var retry backoff
	registered := false
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.register:
			registered = false
		case <-c.probe:
		case <-timer.C:
		}
		timer.Stop()
		var ttl api.Duration
		var err error
		c.asking()
		if registered {
			ttl, err = c.beat(ctx)
		} else {
			ttl, err = c.registerNode(ctx)
		}
		if err == nil {
			if !registered {
				registered = true
				poke(c.resync)
			}
			retry.reset()
			c.contacted(ttl.Std())
			wait = beatAfter(ttl.Std())
			continue
		}
		if ctx.Err() != nil {
			return
		}
		c.refused()
		wait = retry.wait()
		if registered && errors.Is(err, api.ErrNotFound) {
			registered, wait = false, 0
		}
		level := c.logger.Debug
		if retry.next >= time.Second {
			level = c.logger.Warn
		}
		level("the servers cannot be told that the node lives", "err", err, "again_in", wait)
	}
}

// beatAfter leaves time for more than one attempt within the TTL.
func beatAfter(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		ttl = defaultTTL
	}
	return ttl/3 + rand.N(ttl/6+1)
}

func (c *Client) registerNode(ctx context.Context) (api.Duration, error) {
	n := c.node.Load()
	resp, err := c.cfg.Server.Register(ctx, &api.NodeRegisterRequest{Node: n})
	if err != nil {
		return 0, err
	}
	c.logger.Info("node registered", "node_id", n.ID, "name", n.Name)
	return resp.HeartbeatTTL, nil
}

func (c *Client) beat(ctx context.Context) (api.Duration, error) {
	resp, err := c.cfg.Server.Heartbeat(ctx, &api.NodeHeartbeatRequest{
		NodeID: c.id.ID, SecretID: api.Sensitive(c.id.SecretID), Status: api.NodeStatusReady,
	})
	if err != nil {
		return 0, err
	}
	return resp.HeartbeatTTL, nil
}

// syncLoop keeps the stream of this node's allocations open. From time to time
// it is opened anew, and then all is compared.
func (c *Client) syncLoop(ctx context.Context) {
	var retry backoff
	// Before the node is registered nobody knows it.
	select {
	case <-c.resync:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		err := c.syncOnce(ctx, &retry)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errResync) {
			continue
		}
		if errors.Is(err, api.ErrNotFound) {
			poke(c.register)
		}
		wait := retry.wait()
		if wait <= firstRetry {
			wait += rand.N(c.spread() + 1)
		}
		c.logger.Warn("the stream of allocations is broken", "err", err, "again_in", wait)
		select {
		case <-ctx.Done():
		case <-c.resync:
		case <-time.After(wait):
		}
	}
}

// spread is the time over which clients come back to the servers together.
func (c *Client) spread() time.Duration {
	c.lastN.mu.Lock()
	defer c.lastN.mu.Unlock()
	return min(c.lastN.heartbeat/spreadShare, lastRetry)
}

var errResync = errors.New("time to compare all")

func (c *Client) syncOnce(ctx context.Context, retry *backoff) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	again := time.AfterFunc(resyncEvery, func() { cancel(errResync) })
	defer again.Stop()
	req := &api.NodeSyncRequest{NodeID: c.id.ID, SecretID: api.Sensitive(c.id.SecretID), Index: c.newest(), Have: c.held()}
	err := c.cfg.Server.Sync(ctx, req, func(m *api.NodeSync) error {
		retry.reset()
		c.contacted(0)
		c.apply(m)
		c.seen = m.Index
		return nil
	})
	if cause := context.Cause(ctx); errors.Is(cause, errResync) {
		return errResync
	}
	return err
}

// newest gives the index of the newest word from the servers that this node
// acts on: another server must not take it back because it is behind.
func (c *Client) newest() uint64 {
	index := c.seen
	for _, e := range c.entries() {
		index = max(index, e.Alloc().AllocModifyIndex)
	}
	return index
}
