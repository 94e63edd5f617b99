package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoFreezer: the group is in no hierarchy that can freeze.
var ErrNoFreezer = errors.New("its control group cannot be frozen on this node")

// refreeze is after how many looks the freezing is begun anew: with v1 a process that forks at the wrong moment can keep a group in between.
const refreeze = 50

// Freeze stops everything in the group from running, without its noticing, and returns when nothing runs any more. When that does not come
// about before ctx ends, everything runs on.
func (g Group) Freeze(ctx context.Context) error {
	if !g.freeze(true) {
		return g.noFreezer()
	}
	for n := 1; !g.Frozen(); n++ {
		select {
		case <-ctx.Done():
			g.freeze(false)
			return fmt.Errorf("freeze: processes %v do not come to rest: %w", clip(g.Processes()), ctx.Err())
		case <-time.After(time.Millisecond):
		}
		if n%refreeze == 0 {
			g.freeze(false)
		}
		g.freeze(true)
	}
	return nil
}

// Thaw lets everything in the group run on.
func (g Group) Thaw() error {
	if !g.freeze(false) {
		return g.noFreezer()
	}
	return nil
}

// Frozen is whether nothing in the group runs because it is frozen.
func (g Group) Frozen() bool {
	if dir, ok := g.Paths["freezer"]; ok {
		return strings.TrimSpace(readFile(dir, "freezer.state")) == "FROZEN"
	}
	if dir, ok := g.Paths[Unified]; ok {
		return strings.Contains("\n"+readFile(dir, "cgroup.events"), "\nfrozen 1")
	}
	return false
}

// noFreezer says why a group was not frozen or thawed.
func (g Group) noFreezer() error {
	for _, dir := range g.Paths {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("control group: %w", err)
		}
	}
	return ErrNoFreezer
}

func readFile(dir, file string) string {
	b, _ := os.ReadFile(filepath.Join(dir, file)) // without it there is nothing
	return string(b)
}
