package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultAddress is where an agent listens by default.
const DefaultAddress = "http://127.0.0.1:4646"

// ClientConfig says how an agent is reached. The zero value means the agent on
// this machine.
type ClientConfig struct {
	Address   string // http://host:port, https://host:port or unix:///path; DefaultAddress when empty
	Region    string
	Namespace string
	Token     Sensitive
	HTTPAuth  *url.Userinfo     // basic authentication, for a proxy in front of the agent
	Transport http.RoundTripper // own transport, for TLS; the default when nil
	Headers   http.Header       // sent with every request
}

// Client calls the operations of the endpoint table over HTTP. It is safe for
// concurrent use.
type Client struct {
	config ClientConfig
	base   *url.URL
	http   *http.Client
}

// NewClient makes a client. It opens no connection.
func NewClient(config ClientConfig) (*Client, error) {
	if config.Address == "" {
		config.Address = DefaultAddress
	}
	if !strings.Contains(config.Address, "://") {
		config.Address = "http://" + config.Address
	}
	base, err := url.Parse(config.Address)
	if err != nil {
		return nil, Errorf(ErrInvalid, "address %q: %v; write it like %s", config.Address, err, DefaultAddress)
	}
	transport := config.Transport
	switch base.Scheme {
	case "http", "https":
	case "unix":
		socket := base.Path
		dialer := &net.Dialer{}
		transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}}
		base = &url.URL{Scheme: "http", Host: "127.0.0.1"}
	default:
		return nil, Errorf(ErrInvalid, "address %q: the scheme must be http, https or unix", config.Address)
	}
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &Client{config: config, base: base, http: &http.Client{
		Transport: transport,
		// A redirect never carries the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Config gives the configuration the client was made with.
func (c *Client) Config() ClientConfig { return c.config }

// HTTPClient gives the underlying HTTP client, for WebSocket sessions.
func (c *Client) HTTPClient() *http.Client { return c.http }

// Call runs an operation and waits for its answer. Where the request leaves
// region and namespace open, the client's own are sent. Errors of the API are
// of the kinds of this package.
func Call[Req, Resp any](ctx context.Context, c *Client, op Op[Req, Resp], req *Req) (Resp, *Meta, error) {
	var resp Resp
	start := time.Now()
	r, err := c.Do(ctx, op.Endpoint, req)
	if err != nil {
		return resp, nil, err
	}
	defer r.Body.Close()
	meta := readMeta(r.Header)
	meta.RequestTime = Duration(time.Since(start))
	if _, none := any(resp).(None); none {
		_, err = io.Copy(io.Discard, r.Body)
		return resp, meta, err
	}
	if err := json.NewDecoder(r.Body).Decode(&resp); err != nil {
		return resp, meta, fmt.Errorf("%s: decode the answer of %s: %w", op.Name, c.config.Address, err)
	}
	return resp, meta, nil
}

// Open runs an operation whose response is a stream. The caller closes it.
func Open[Req any](ctx context.Context, c *Client, op Op[Req, Raw], req *Req) (io.ReadCloser, http.Header, error) {
	r, err := c.Do(ctx, op.Endpoint, req)
	if err != nil {
		return nil, nil, err
	}
	return r.Body, r.Header, nil
}

// Send runs an operation whose request body is a stream.
func Send[Req any](ctx context.Context, c *Client, op Op[Req, Raw], req *Req, body io.Reader) (io.ReadCloser, error) {
	hr, err := c.NewRequest(ctx, op.Endpoint, req)
	if err != nil {
		return nil, err
	}
	hr.Body = io.NopCloser(body)
	hr.ContentLength = -1
	r, err := c.send(hr, op.Endpoint)
	if err != nil {
		return nil, err
	}
	return r.Body, nil
}

// Do sends the request of an operation; a status of 400 or more is an error.
func (c *Client) Do(ctx context.Context, e *Endpoint, req any) (*http.Response, error) {
	hr, err := c.NewRequest(ctx, e, req)
	if err != nil {
		return nil, err
	}
	return c.send(hr, e)
}

// Raw sends a request that is not in the table; path may carry a query. The
// status is not looked at.
func (c *Client) Raw(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	ref, err := url.Parse(path)
	if err != nil {
		return nil, Errorf(ErrInvalid, "path %q: %v", path, err)
	}
	query := ref.Query()
	c.addDefaults(query)
	u := *c.base
	u.Path, u.RawPath, u.RawQuery = ref.Path, ref.RawPath, query.Encode()
	hr, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	c.addHeaders(hr)
	for k, v := range header {
		hr.Header[k] = v
	}
	resp, err := c.http.Do(hr)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return resp, nil
}

// NewRequest makes the HTTP request of an operation.
func (c *Client) NewRequest(ctx context.Context, e *Endpoint, req any) (*http.Request, error) {
	path, query, body, err := EncodeRequest(e, req)
	if err != nil {
		return nil, err
	}
	c.addDefaults(query)
	u, err := url.Parse(c.base.String() + path)
	if err != nil {
		return nil, err
	}
	u.RawQuery = query.Encode()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	hr, err := http.NewRequestWithContext(ctx, e.Method, u.String(), reader)
	if err != nil {
		return nil, err
	}
	switch {
	case body == nil:
	case e.RawBody():
		hr.Header.Set("Content-Type", "application/octet-stream")
	default:
		hr.Header.Set("Content-Type", "application/json")
	}
	c.addHeaders(hr)
	return hr, nil
}

func (c *Client) addDefaults(query url.Values) {
	if c.config.Region != "" && !query.Has("region") {
		query.Set("region", c.config.Region)
	}
	if c.config.Namespace != "" && !query.Has("namespace") {
		query.Set("namespace", c.config.Namespace)
	}
}

func (c *Client) addHeaders(r *http.Request) {
	for k, v := range c.config.Headers {
		r.Header[k] = v
	}
	if c.config.Token != "" {
		r.Header.Set("X-Nomad-Token", c.config.Token.Reveal())
	}
	if u := c.config.HTTPAuth; u != nil {
		password, _ := u.Password()
		r.SetBasicAuth(u.Username(), password)
	}
}

func (c *Client) send(r *http.Request, e *Endpoint) (*http.Response, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return nil, &ResponseError{Op: e.Name, Status: resp.StatusCode, Text: strings.TrimSpace(string(text))}
}

func (c *Client) unreachable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: no agent answers at %s: %w", ErrUnavailable, c.config.Address, err)
}

// ResponseError is an answer with a status of 300 or more.
type ResponseError struct {
	Op     string
	Status int
	Text   string // the body
}

func (e *ResponseError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%s: status %d (%s)", e.Op, e.Status, http.StatusText(e.Status))
	}
	return e.Text
}

// Unwrap gives the kind that the status stands for.
func (e *ResponseError) Unwrap() error { return KindOfStatus(e.Status) }

func readMeta(h http.Header) *Meta {
	m := &Meta{NextToken: h.Get("X-Nomad-NextToken"), KnownLeader: h.Get("X-Nomad-KnownLeader") == "true"}
	m.Index, _ = strconv.ParseUint(h.Get("X-Nomad-Index"), 10, 64)
	if ms, err := strconv.ParseInt(h.Get("X-Nomad-LastContact"), 10, 64); err == nil {
		m.LastContact = Duration(time.Duration(ms) * time.Millisecond)
	}
	return m
}
