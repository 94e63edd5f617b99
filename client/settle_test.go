package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/internal/pause"
)

// News of drivers come together: once they are quiet, or after a while in any case.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name  string
		every time.Duration // between two changes
		n     int
		took  time.Duration
	}{
		{"one", time.Hour, 1, driversQuiet},
		{"three", driversQuiet / 2, 3, driversQuiet/2*2 + driversQuiet},
		{"without end", driversQuiet / 2, 1000, driversWait},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				news := make(chan chan struct{}, 1)
				news <- make(chan struct{})
				next := func() <-chan struct{} {
					now := <-news
					news <- now
					return now
				}
				go func() {
					for range c.n - 1 {
						if !pause.For(ctx, c.every) {
							return
						}
						close(<-news)
						news <- make(chan struct{})
					}
				}()
				began := time.Now()
				if !settle(ctx, next) || time.Since(began) != c.took {
					t.Errorf("it took %v, want %v", time.Since(began), c.took)
				}
				cancel()
				if settle(ctx, next) {
					t.Error("it settles after the end")
				}
			})
		})
	}
}
