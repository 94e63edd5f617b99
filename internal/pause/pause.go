// Package pause waits.
package pause

import (
	"context"
	"time"
)

// For waits for d, or until ctx ends; it says whether ctx goes on.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
