package tlsx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/seraihq/serai/api"
)

const (
	dialTimeout = 5 * time.Second
	// HandshakeTimeout is how long the other side may take to say who it is.
	HandshakeTimeout = 5 * time.Second
	keepAlive        = 10 * time.Second
)

// Dialer connects to other agents.
type Dialer struct {
	Keys   *Keys  // nil: nothing is encrypted, and only loopback is reached
	Region string // of the servers
	Local  net.IP // from which address; nil: the system chooses
}

// ErrUnreached is the kind of every error of Dial: nothing was asked yet.
var ErrUnreached = errors.New("not reached")

// unreached keeps the text of an error and adds the kind.
type unreached struct{ error }

func (u unreached) Unwrap() []error { return []error{u.error, ErrUnreached} }

// Scheme gives the scheme of URLs: https with keys, else http.
func (d *Dialer) Scheme() string {
	if d.Keys != nil {
		return "https"
	}
	return "http"
}

// Dial connects to a server of the region at host:port, and agrees on a
// protocol. A peer that is no server of this region is refused.
func (d *Dialer) Dial(ctx context.Context, address, proto string) (net.Conn, error) {
	return d.DialTo(ctx, address, proto, func(p Peer) error { return p.Must(d.Region, "answering as a server", RoleServer) })
}

// DialTo connects as Dial does, to whom check accepts.
func (d *Dialer) DialTo(ctx context.Context, address, proto string, check func(Peer) error) (net.Conn, error) {
	c, err := d.dial(ctx, address, proto, check)
	if err != nil {
		return nil, unreached{err}
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, address, proto string, check func(Peer) error) (net.Conn, error) {
	if d.Keys == nil && !Loopback(address) {
		return nil, api.Errorf(api.ErrDenied, "%s is on another machine and this agent has no TLS: nothing is sent there unencrypted; set tls { rpc = true } with ca_file, cert_file and key_file, or run serai join", address)
	}
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	if d.Local != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: d.Local}
	}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	out, err := d.greet(ctx, c, address, proto, check)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return out, nil
}

// greet agrees on the protocol of a new connection.
func (d *Dialer) greet(ctx context.Context, c net.Conn, address, proto string, check func(Peer) error) (net.Conn, error) {
	if d.Keys == nil {
		if IsHTTP(proto) {
			return c, nil
		}
		_ = c.SetWriteDeadline(time.Now().Add(HandshakeTimeout))
		_, err := c.Write(Preamble(proto))
		_ = c.SetWriteDeadline(time.Time{})
		return c, err
	}
	config := d.Keys.now.Load().config()
	config.NextProtos = []string{proto}
	config.ServerName, _, _ = net.SplitHostPort(address)
	// The names of agents are their roles and not where they are: the chain and
	// the role are looked at below.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(cs tls.ConnectionState) error { return d.Keys.verify(cs, check) }
	t := tls.Client(c, config)
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS with %s: %w", address, err)
	}
	// A listener that knows no protocols speaks HTTP/1.1.
	if got := t.ConnectionState().NegotiatedProtocol; got != proto && !(got == "" && proto == ProtoHTTP1) {
		return nil, notAgreed(address, proto, got)
	}
	return t, nil
}
