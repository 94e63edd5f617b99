package enginetest

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Listen listens where the engine and its containers can reach it.
func (e *Engine) Listen(address string) (net.Listener, error) {
	var l net.Listener
	err := e.inside(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// Dial connects as somebody on the engine's host would.
func (e *Engine) Dial(address string) (net.Conn, error) {
	var c net.Conn
	err := e.inside(func() (err error) {
		c, err = net.DialTimeout("tcp", address, 2*time.Second)
		return err
	})
	return c, err
}

// inside runs f on a thread in the engine's network namespace.
func (e *Engine) inside(f func() error) error {
	target, err := os.Open(e.Namespace())
	if err != nil {
		return err
	}
	defer target.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}
