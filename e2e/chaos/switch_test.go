package chaos

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// fabric is a switch between TAP devices, in this process: kernels of test
// machines have no netem. Frames from one host to another can be delayed, each by
// another time, so that they overtake each other.
type fabric struct {
	ports []*os.File
	lag   [][]atomic.Int64 // most of what a frame is delayed, from, to; 0: not at all
	ended chan struct{}
}

const (
	maxFrame = 2048
	inFlight = 4096 // frames of a host that wait; further ones are lost
)

// mac is the address of a host's device.
func mac(i int) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 7, byte(i)} }

// openTap makes a TAP device in a namespace.
func openTap(ns, name string) (*os.File, error) {
	return within(ns, func() (*os.File, error) {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open /dev/net/tun: %w", err)
		}
		req, err := unix.NewIfreq(name)
		if err != nil {
			return nil, err
		}
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("make TAP device: %w", err)
		}
		return os.NewFile(uintptr(fd), "tap "+ns), nil
	})
}

func newFabric(ports []*os.File) *fabric {
	f := &fabric{ports: ports, ended: make(chan struct{})}
	for range ports {
		f.lag = append(f.lag, make([]atomic.Int64, len(ports)))
	}
	for i := range ports {
		go f.forward(i)
	}
	return f
}

func (f *fabric) close() {
	close(f.ended)
	for _, p := range f.ports {
		p.Close()
	}
}

// slow delays what host i sends to host j by between half of and all of a time.
func (f *fabric) slow(i, j int, most time.Duration) { f.lag[i][j].Store(int64(most)) }

// calm ends all delays.
func (f *fabric) calm() {
	for i := range f.lag {
		for j := range f.lag[i] {
			f.lag[i][j].Store(0)
		}
	}
}

// forward passes on what a host sends.
func (f *fabric) forward(from int) {
	flying := make(chan struct{}, inFlight)
	buf := make([]byte, maxFrame)
	for {
		n, err := f.ports[from].Read(buf)
		if err != nil {
			return // it is closed
		}
		if n < 14 {
			continue
		}
		for to := range f.ports {
			if to == from || buf[0]&1 == 0 && string(buf[:6]) != string(mac(to)) {
				continue
			}
			f.send(from, to, buf[:n], flying)
		}
	}
}

func (f *fabric) send(from, to int, frame []byte, flying chan struct{}) {
	most := f.lag[from][to].Load()
	if most == 0 {
		_, _ = f.ports[to].Write(frame) // what does not fit is lost, as on a wire
		return
	}
	select {
	case flying <- struct{}{}:
	default:
		return
	}
	later := append([]byte(nil), frame...)
	time.AfterFunc(time.Duration(most/2+rand.Int64N(most/2+1)), func() {
		<-flying
		select {
		case <-f.ended:
		default:
			_, _ = f.ports[to].Write(later)
		}
	})
}
