package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const (
	// maxAnswer bounds answers that are no blobs and no manifests: tokens, errors, what a ping gives.
	maxAnswer = 1 * mib
	// maxHeader bounds the headers of an answer.
	maxHeader = 256 * kib
	// maxRedirects is how often an answer may send us on.
	maxRedirects = 5
)

// certificates are the system's, and those of the file.
func certificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates for registries: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificates for registries: %s has none in PEM", file)
	}
	return roots, nil
}

func newTransport(o Options, roots *x509.CertPool, insecure bool) *http.Transport {
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dial,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: roots,
			InsecureSkipVerify: insecure, //nolint:gosec // for registries that the operator named
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  o.ActivityTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
}

// registryKey is the context key of the registry that a connection is made for.
type registryKey struct{}

// dial connects. What a registry leads to (by a redirect, or a realm to get
// tokens from) may not be on this host or its link, where it would find what is
// open to the node alone; a name is judged by the address that it has now.
// Link-local addresses, where clouds answer about their machines, are refused to
// all but a proxy.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	registry, _ := ctx.Value(registryKey{}).(string)
	own := sameHost(address, registry)
	d := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, ControlContext: func(_ context.Context, _, to string, _ syscall.RawConn) error {
		return allowedAddress(to, own)
	}}
	if isProxy(address) {
		d.ControlContext = nil
	}
	return d.DialContext(ctx, network, address)
}

// allowedAddress is whether an image may be fetched from an address; own is that
// it is the registry that the job named.
func allowedAddress(to string, own bool) error {
	at, err := netip.ParseAddrPort(to)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	bad := ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip == netip.MustParseAddr("fd00:ec2::254")
	if bad || !own && (ip.IsLoopback() || ip.IsUnspecified()) {
		return fmt.Errorf("images are not fetched from %s: it is an address of this host or its link: %w", ip, ErrDenied)
	}
	return nil
}

// sameHost is whether an address to dial is that of a registry.
func sameHost(address, registry string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	rhost, rport, err := net.SplitHostPort(registry)
	if err != nil {
		rhost, rport = strings.Trim(registry, "[]"), port
	}
	return strings.EqualFold(host, rhost) && port == rport
}

// isProxy is whether an address to dial is that of the proxy that the operator set for this process.
func isProxy(address string) bool {
	c := httpproxy.FromEnvironment()
	for _, p := range []string{c.HTTPProxy, c.HTTPSProxy} {
		_, rest, found := strings.Cut(p, "://")
		if !found {
			rest = p
		}
		rest = rest[strings.LastIndex(rest, "@")+1:]
		if rest = strings.TrimSuffix(rest, "/"); rest != "" && (rest == address || strings.HasPrefix(address, rest+":")) {
			return true
		}
	}
	return false
}

// limitKey is the context key of the largest answer that a manifest may be.
type limitKey struct{}

func withLimit(ctx context.Context, n int64) context.Context {
	return context.WithValue(ctx, limitKey{}, n)
}

// guarded is the way to one registry: what is answered is bounded, and it does
// not stop half-way for ever.
type guarded struct {
	inner    http.RoundTripper
	registry string
	insecure bool
	options  Options
}

// RoundTrip sends one request.
func (g *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !g.insecure {
		return nil, fmt.Errorf("registry %s leads to %s, which is not encrypted: add it to the insecure registries if that is meant: %w",
			g.registry, req.URL.Host, ErrDenied)
	}
	// The library's client has a rule of its own for where redirects lead, and with it none for how many.
	hops := 0
	for r := req.Response; r != nil && r.Request != nil; r = r.Request.Response {
		if hops++; hops > maxRedirects {
			return nil, fmt.Errorf("registry %s redirects more than %d times: %w", g.registry, maxRedirects, ErrUnavailable)
		}
	}
	resp, err := g.once(req)
	if err == nil && resumable(req, resp) {
		resp.Body = &resumedBody{ReadCloser: resp.Body, way: g, req: req, size: resp.ContentLength}
	}
	return resp, err
}

// once sends a request and gives its answer, which does not go on when its connection breaks.
func (g *guarded) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(context.WithValue(req.Context(), registryKey{}, g.registry))
	stalled := fmt.Errorf("nothing came from %s for %s: %w", req.URL.Host, g.options.ActivityTimeout, ErrStalled)
	timer := time.AfterFunc(g.options.ActivityTimeout, func() { cancel(stalled) })
	resp, err := g.inner.RoundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		defer cancel(nil)
		if errors.Is(context.Cause(ctx), ErrStalled) || isTimeout(err) && req.Context().Err() == nil {
			return nil, stalled
		}
		return nil, err
	}
	resp.Body = &guardedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, timer: timer, every: g.options.ActivityTimeout, left: g.limit(req)}
	return resp, nil
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// limit is how large an answer to a request may be.
func (g *guarded) limit(req *http.Request) int64 {
	switch {
	case strings.Contains(req.URL.Path, "/manifests/"):
		if n, ok := req.Context().Value(limitKey{}).(int64); ok {
			return n
		}
		return g.options.Limits.Manifest
	case strings.Contains(req.URL.Path, "/v2/") && !strings.Contains(req.URL.Path, "/blobs/"):
		return maxAnswer
	}
	return g.options.Limits.Layer // blobs, and where they redirect to; whoever reads tokens and errors has limits too
}

// guardedBody is an answer as it comes.
type guardedBody struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // it is that of the answer
	cancel context.CancelCauseFunc
	timer  *time.Timer
	every  time.Duration
	left   int64
}

// Read gives what came, and why nothing more will.
func (b *guardedBody) Read(p []byte) (int, error) {
	// The reader may have been busy with something else for long: only waiting for the registry counts.
	b.timer.Reset(b.every)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the registry's answer is larger than allowed: %w", ErrTooLarge)
	}
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

// Close ends the answer.
func (b *guardedBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
