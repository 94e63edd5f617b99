package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/internal/failpoint"
)

// reservation keeps others of the host from a port that leads into a pod: what
// they would listen for never came to them. Nothing is received on it.
type reservation struct{ fds []int }

// reserve takes the ports on the host, or tells which of them are another's.
func reserve(ports []Port) (*reservation, error) {
	r := &reservation{}
	for _, p := range ports {
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
			fd, err := bindPort(p, kind)
			if err != nil {
				r.release()
				return nil, portError(p, kind, err)
			}
			r.fds = append(r.fds, fd)
		}
	}
	return r, nil
}

func (r *reservation) release() {
	if r == nil {
		return
	}
	for _, fd := range r.fds {
		unix.Close(fd)
	}
	r.fds = nil
}

// bindPort binds an address. Connections of the past do not stand in the way
// (SO_REUSEADDR at the moment of binding), later comers do not share it.
func bindPort(p Port, kind int) (int, error) {
	family := unix.AF_INET
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(p.Host), Addr: [4]byte{}}
	if p.HostIP.Is4() {
		sa.(*unix.SockaddrInet4).Addr = p.HostIP.As4()
	}
	if p.HostIP.Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(p.Host), Addr: p.HostIP.As16()}
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if kind == unix.SOCK_STREAM {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if kind == unix.SOCK_STREAM {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)
	}
	return fd, nil
}

func portError(p Port, kind int, err error) error {
	proto, tool := "TCP", "ss -lntp"
	if kind == unix.SOCK_DGRAM {
		proto, tool = "UDP", "ss -lnup"
	}
	address := netip.AddrPortFrom(p.HostIP, p.Host)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %q: %s port %s of this node is taken by a process that is not serai's: end it (%s tells which it is), or let the job use another static port", p.Label, proto, address, tool)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("port %q: this node has no address %s any more: restart its agent so that the servers learn its addresses", p.Label, p.HostIP)
	}
	return fmt.Errorf("port %q: %s %s: %w", p.Label, proto, address, err)
}

// at is a place where tests stop.
func (m *Manager) at(place string) {
	failpoint.Kill("network:" + place)
	if m.set.at != nil {
		m.set.at(place)
	}
}

// finish gives work that must be done a context of its own.
func finish(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoDeadline)
}
