package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/internal/wire"
)

const (
	// callTimeout is how long a call may take, from the first byte sent to the
	// last received.
	callTimeout = 30 * time.Second
	// beginTimeout is how long a server may take to begin its answer before the
	// next one is asked. It waits for an election itself.
	beginTimeout = 10 * time.Second
	// pingAfter is how long a connection is quiet before it is tested, and
	// pingTimeout how long the answer may take. Calls do not wait for that
	// (beginTimeout): it is for streams, and to open those of all nodes again is
	// the last thing that a server needs which is busy.
	pingAfter   = 10 * time.Second
	pingTimeout = 20 * time.Second
	// idleTimeout is how long an unused connection is kept.
	idleTimeout = 2 * time.Minute
)

// Client calls servers: one at a time, the next of the list when it cannot be
// reached. It is safe for concurrent use.
type Client struct {
	servers *pool
	http    *http.Transport
	upgrade *http.Transport // for sessions that leave HTTP, which HTTP/2 has not
	dialer  *tlsx.Dialer
	decoded *decoded
}

// NewClient makes a client of servers, each host:port, that it reaches by the
// dialer. It opens no connection.
func NewClient(servers []string, d *tlsx.Dialer) *Client {
	return &Client{servers: newPool(servers), dialer: d, decoded: &decoded{}, http: Transport(d, tlsx.ProtoHTTP2), upgrade: Transport(d, tlsx.ProtoHTTP1)}
}

// Transport makes a transport to servers that speaks one of the two kinds of
// HTTP, with TLS where the dialer has keys, and that notices dead connections.
func Transport(d *tlsx.Dialer, proto string) *http.Transport {
	dial := func(ctx context.Context, _, address string) (net.Conn, error) { return d.Dial(ctx, address, proto) }
	t := &http.Transport{
		Protocols: new(http.Protocols), DialContext: dial, DialTLSContext: dial,
		DisableCompression: true, IdleConnTimeout: idleTimeout,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: sendTimeout},
	}
	t.Protocols.SetHTTP1(proto == tlsx.ProtoHTTP1)
	t.Protocols.SetHTTP2(proto == tlsx.ProtoHTTP2 && d.Keys != nil)
	t.Protocols.SetUnencryptedHTTP2(proto == tlsx.ProtoHTTP2 && d.Keys == nil)
	return t
}

// Share makes a client that remembers what it decoded together with c, but has
// connections of its own. It is for programs that are many clients at once.
func (c *Client) Share() *Client { return c.ShareWith(c.servers.known(), c.dialer) }

// ShareWith is Share for a client of its own servers and keys.
func (c *Client) ShareWith(servers []string, d *tlsx.Dialer) *Client {
	other := NewClient(servers, d)
	other.decoded = c.decoded
	return other
}

// Servers lists the servers, the one that is asked first.
func (c *Client) Servers() []string { return c.servers.known() }

// Recall takes up the servers that were told in an earlier life of the process,
// when the configuration named the same ones as now.
func (c *Client) Recall(configured, told []string) { c.servers.recall(configured, told) }

// KeepServers has keep called when servers tell of others than before, with those
// of the configuration. It must not call the client.
func (c *Client) KeepServers(keep func(configured, told []string)) {
	c.servers.mu.Lock()
	defer c.servers.mu.Unlock()
	c.servers.keep = keep
}

// SetServers replaces the servers, at a person's word.
func (c *Client) SetServers(servers []string) { c.servers.replace(servers) }

// Close closes connections that nobody uses.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.upgrade.CloseIdleConnections()
}

// Register makes a node known.
func (c *Client) Register(ctx context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
	return c.told(call[api.NodeRegisterResponse](ctx, c, pathRegister, req))
}

// Heartbeat says that a node lives.
func (c *Client) Heartbeat(ctx context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	return c.told(call[api.NodeRegisterResponse](ctx, c, pathHeartbeat, req))
}

// told takes over the servers that an answer lists.
func (c *Client) told(resp *api.NodeRegisterResponse, err error) (*api.NodeRegisterResponse, error) {
	if err == nil {
		c.servers.tell(resp.Servers)
	}
	return resp, err
}

// ResolveToken asks who the secret of a token belongs to.
func (c *Client) ResolveToken(ctx context.Context, req *api.TokenResolveRequest) (*api.TokenResolveResponse, error) {
	return call[api.TokenResolveResponse](ctx, c, pathResolve, req)
}

// SignIdentities asks for the identities of a task of this node.
func (c *Client) SignIdentities(ctx context.Context, req *api.IdentitySignRequest) (*api.IdentitySignResponse, error) {
	return call[api.IdentitySignResponse](ctx, c, pathSign, req)
}

// UpdateAllocs says what has become of allocations; it returns when that is durable.
func (c *Client) UpdateAllocs(ctx context.Context, req *api.AllocUpdateRequest) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for rest := req.Allocs; len(rest) > 0; {
		b, n, err := encodeUpdates(req, rest)
		if err != nil {
			return err
		}
		resp, err := c.post(ctx, pathUpdate, b)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		rest = rest[n:]
	}
	return nil
}

// Sync hands over the stream of a node's allocations until ctx ends, receive
// fails or the stream breaks.
func (c *Client) Sync(ctx context.Context, req *api.NodeSyncRequest, receive func(*api.NodeSync) error) error {
	b, err := encodeSyncRequest(req)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.post(ctx, pathSync, b)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for {
		kind, body, err := readFrame(resp.Body)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return api.Errorf(api.ErrUnavailable, "the stream from server %s broke: %v", resp.Request.URL.Host, err)
		case kind == frameError:
			return decodeErrorFrame(body)
		case kind != frameMessage:
			return api.Errorf(api.ErrInvalid, "server %s sends a message of unknown kind %d; is it of a newer version?", resp.Request.URL.Host, kind)
		}
		m, err := c.decoded.decodeSync(body)
		if err != nil {
			return err
		}
		if err := receive(m); err != nil {
			return err
		}
	}
}

// call sends an object and reads one.
func call[Resp any](ctx context.Context, c *Client, path string, req any) (*Resp, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	b, err := wire.Marshal(req)
	if err != nil {
		return nil, err
	}
	resp, err := c.post(ctx, path, b)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := readAll(resp.Body, maxRequest, "the answer")
	if err != nil {
		return nil, err
	}
	out := new(Resp)
	return out, decodeObject(body, "answer", out)
}

// post sends a body to the servers in turn until one answers.
func (c *Client) post(ctx context.Context, path string, body []byte) (*http.Response, error) {
	list := c.servers.order()
	failed := errNoServers(list)
	for _, server := range list {
		resp, err := c.postTo(ctx, server, path, body)
		if err == nil || ctx.Err() != nil || !errors.Is(err, api.ErrUnavailable) && !errors.Is(err, api.ErrNoLeader) {
			return resp, err
		}
		failed = errors.Join(failed, err)
		c.servers.failed(server)
	}
	return nil, failed
}

func errNoServers(servers []string) error {
	if len(servers) == 0 {
		return api.Errorf(api.ErrUnavailable, "no servers are known")
	}
	return nil
}

func (c *Client) postTo(ctx context.Context, server, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.dialer.Scheme()+"://"+server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	resp, err := c.begin(r)
	if err != nil {
		return nil, fmt.Errorf("%w: server %s: %w", api.ErrUnavailable, server, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

// begin sends a call, and gives it up when its answer does not begin in time: a
// server that lost its power closes no connection.
func (c *Client) begin(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	late := time.AfterFunc(beginTimeout, func() {
		cancel(fmt.Errorf("no answer within %s", beginTimeout))
	})
	resp, err := c.http.RoundTrip(r.WithContext(ctx))
	late.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && r.Context().Err() == nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &ending{resp.Body, func() { cancel(nil) }}
	return resp, nil
}

// ending is a body at whose end something is to be done.
type ending struct {
	io.ReadCloser
	end func()
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// RoundTrip sends a person's request to the servers in turn until one can be
// reached; the host of its URL does not count.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	transport := c.http
	if r.Header.Get("Upgrade") != "" {
		transport = c.upgrade
	}
	list := c.servers.order()
	failed := errNoServers(list)
	body := &passed{from: r.Body}
	for _, server := range list {
		try := r.Clone(r.Context())
		try.URL.Scheme, try.URL.Host, try.Host = c.dialer.Scheme(), server, server
		if r.Body != nil {
			try.Body = body.attempt() // a server that cannot be reached has not read it
		}
		resp, err := transport.RoundTrip(try)
		if err == nil || r.Context().Err() != nil || !errors.Is(err, tlsx.ErrUnreached) {
			return resp, err
		}
		failed = errors.Join(failed, err)
		c.servers.failed(server)
	}
	return nil, failed
}
