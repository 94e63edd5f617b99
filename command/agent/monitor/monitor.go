// Package monitor lets people follow an agent's log while it runs, at a level
// of their own choice. The Hub stands between the agent's loggers and the
// handler that writes the log; a follower that is too slow loses lines, never
// the agent time.
package monitor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seraihq/serai/internal/logx"
)

// backlog is how many lines a follower may be behind.
const backlog = 512

// LevelTrace is below debug.
const LevelTrace = slog.LevelDebug - 4

// ParseLevel reads a level's name: trace, debug, info (also when empty), warn
// or error.
func ParseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "trace":
		return LevelTrace, nil
	case "debug":
		return slog.LevelDebug, nil
	case "info", "":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error", "err":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("level %q is not known; use trace, debug, info, warn or error", name)
}

// Hub is the middle of a log: a slog.Handler factory, and the list of those
// who follow.
type Hub struct {
	mu        sync.Mutex
	followers map[*follower]struct{}
	lowest    atomic.Int64 // level that the most curious follower wants
}

const nobody = int64(slog.LevelError) + 1000

// NewHub makes a hub without followers.
func NewHub() *Hub {
	h := &Hub{followers: map[*follower]struct{}{}}
	h.lowest.Store(nobody)
	return h
}

// Handler gives a handler that passes records on to next, and to whoever
// follows.
func (h *Hub) Handler(next slog.Handler) slog.Handler {
	return &handler{hub: h, next: next, decorate: func(h slog.Handler) slog.Handler { return h }}
}

type handler struct {
	hub      *Hub
	next     slog.Handler
	decorate func(slog.Handler) slog.Handler // attributes and groups, for followers
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return int64(level) >= h.hub.lowest.Load() || h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if int64(r.Level) >= h.hub.lowest.Load() {
		h.hub.publish(ctx, r, h.decorate)
	}
	if h.next.Enabled(ctx, r.Level) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	inner := h.decorate
	return &handler{hub: h.hub, next: h.next.WithAttrs(attrs), decorate: func(f slog.Handler) slog.Handler { return inner(f).WithAttrs(attrs) }}
}

func (h *handler) WithGroup(name string) slog.Handler {
	inner := h.decorate
	return &handler{hub: h.hub, next: h.next.WithGroup(name), decorate: func(f slog.Handler) slog.Handler { return inner(f).WithGroup(name) }}
}

// follower is one who follows.
type follower struct {
	level   slog.Level
	json    bool
	lines   chan []byte
	dropped atomic.Int64
}

func (h *Hub) publish(ctx context.Context, r slog.Record, decorate func(slog.Handler) slog.Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.followers {
		if r.Level < f.level {
			continue
		}
		var line bytes.Buffer
		if err := decorate(f.format(&line)).Handle(ctx, r); err != nil {
			continue
		}
		select {
		case f.lines <- line.Bytes():
		default:
			f.dropped.Add(1)
		}
	}
}

func (f *follower) format(line *bytes.Buffer) slog.Handler {
	return logx.Handler(line, logx.Options{Level: f.level, JSON: f.json})
}

// Follow hands every line from now on to send, until ctx ends or send fails.
// Lines that were lost because send was slow are counted in a line.
func (h *Hub) Follow(ctx context.Context, level slog.Level, json bool, send func(line []byte) error) {
	f := &follower{level: level, json: json, lines: make(chan []byte, backlog)}
	h.change(func() { h.followers[f] = struct{}{} })
	defer h.change(func() { delete(h.followers, f) })
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-f.lines:
			if n := f.dropped.Swap(0); n > 0 {
				if send(fmt.Appendf(nil, "[%d lines were dropped because they were not read in time]\n", n)) != nil {
					return
				}
			}
			if send(line) != nil {
				return
			}
		}
	}
}

func (h *Hub) change(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
	lowest := nobody
	for f := range h.followers {
		lowest = min(lowest, int64(f.level))
	}
	h.lowest.Store(lowest)
}
