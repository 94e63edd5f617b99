package agent

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signalWait is how soon the signal is known that has ended the context of the
// whole program.
const signalWait = 50 * time.Millisecond

// untilAsked gives a context that ends when parent does or a signal asks the
// agent to stop. A server that shall leave its cluster leaves first, while
// everything still works. A second signal ends the process at once.
func (a *Agent) untilAsked(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer cancel()
		select {
		case s := <-asked:
			signal.Stop(asked)
			a.leave(ctx, s)
			return
		case <-parent.Done():
		case <-ctx.Done():
			return
		}
		select { // whoever made the context may have listened to the same signal
		case s := <-asked:
			signal.Stop(asked)
			a.leave(ctx, s)
		case <-time.After(signalWait):
		}
	}()
	return ctx, func() {
		signal.Stop(asked)
		cancel()
	}
}

// leave has the server leave its cluster when the signal shall do that.
func (a *Agent) leave(ctx context.Context, s os.Signal) {
	if a.server == nil {
		return
	}
	wanted := s == os.Interrupt && a.cfg.LeaveOnInterrupt || s == syscall.SIGTERM && a.cfg.LeaveOnTerminate
	if !wanted {
		return
	}
	if err := a.server.Leave(ctx); err != nil {
		a.logger.Error("the server did not leave its cluster cleanly; force it out with `serai server force-leave` if the others still list it", "err", err)
	}
}
