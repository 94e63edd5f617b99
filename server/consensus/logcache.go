package consensus

import (
	"sync"

	"github.com/hashicorp/raft"
)

// Of the newest entries of the log as many are kept in memory, for followers and
// for what is applied: an entry of a large plan has hundreds of kilobytes.
const (
	cachedEntries = 512
	cachedBytes   = 16 << 20
)

// logCache keeps the newest entries of a log in memory; older ones are read from
// the log.
type logCache struct {
	logStore

	mu    sync.RWMutex
	ring  [cachedEntries]*raft.Log // by the index
	low   uint64                   // no older one is kept
	high  uint64                   // the newest; 0 for none
	bytes int
}

// GetLog implements raft.LogStore.
func (c *logCache) GetLog(index uint64, out *raft.Log) error {
	c.mu.RLock()
	kept := c.ring[index%cachedEntries]
	c.mu.RUnlock()
	if kept != nil && kept.Index == index {
		*out = *kept
		return nil
	}
	return c.logStore.GetLog(index, out)
}

// StoreLog implements raft.LogStore.
func (c *logCache) StoreLog(l *raft.Log) error { return c.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (c *logCache) StoreLogs(logs []*raft.Log) error {
	if err := c.logStore.StoreLogs(logs); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range logs {
		if c.high == 0 || l.Index != c.high+1 {
			c.clear()
			c.low = l.Index
		}
		if c.high = l.Index; c.high-c.low >= cachedEntries {
			c.drop()
		}
		c.ring[l.Index%cachedEntries] = l
		c.bytes += size(l)
		for c.bytes > cachedBytes && c.low < c.high {
			c.drop()
		}
	}
	return nil
}

// DeleteRange implements raft.LogStore.
func (c *logCache) DeleteRange(low, high uint64) error {
	c.mu.Lock()
	c.clear() // seldom; what is left of the newest comes from the log
	c.mu.Unlock()
	return c.logStore.DeleteRange(low, high)
}

// drop lets go of the oldest entry; the caller holds the lock.
func (c *logCache) drop() {
	at := &c.ring[c.low%cachedEntries]
	c.bytes -= size(*at)
	*at = nil
	c.low++
}

func (c *logCache) clear() { c.ring, c.low, c.high, c.bytes = [cachedEntries]*raft.Log{}, 0, 0, 0 }

func size(l *raft.Log) int { return len(l.Data) + len(l.Extensions) }
