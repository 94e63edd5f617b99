package listen

import (
	"net"
	"sync"
	"time"
)

// limited is a listener that holds at most max connections of one address.
type limited struct {
	net.Listener
	max int

	mu   sync.Mutex
	open map[string]int // connections by address
}

// Limit bounds the connections of each client address; max 0 means no bound.
// A connection too many is told so and closed.
func Limit(l net.Listener, max int) net.Listener {
	if max <= 0 {
		return l
	}
	return &limited{Listener: l, max: max, open: map[string]int{}}
}

const tooMany = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Content-Length: 33\r\nConnection: close\r\n\r\ntoo many connections from your IP"

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ip := hostOf(c.RemoteAddr().String())
		if l.take(ip) {
			return &counted{Conn: c, done: func() { l.release(ip) }}, nil
		}
		// The text fits every socket buffer; the deadline is for the peer that has none left.
		_ = c.SetDeadline(time.Now().Add(10 * time.Millisecond))
		_, _ = c.Write([]byte(tooMany))
		_ = c.Close()
	}
}

func (l *limited) take(ip string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[ip] >= l.max {
		return false
	}
	l.open[ip]++
	return true
}

func (l *limited) release(ip string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[ip]--; l.open[ip] <= 0 {
		delete(l.open, ip)
	}
}

// counted gives its place back once when it is closed.
type counted struct {
	net.Conn
	once sync.Once
	done func()
}

func (c *counted) Close() error {
	c.once.Do(c.done)
	return c.Conn.Close()
}
