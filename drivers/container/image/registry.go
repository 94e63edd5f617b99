package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// registries fetches from registries as the store's configuration says.
type registries struct {
	options   Options
	transport *http.Transport // certificates are checked
	insecure  *http.Transport // they are not
	creds     credentials
}

func newRegistries(o Options) (*registries, error) {
	for _, host := range o.Insecure {
		if _, err := name.NewRegistry(host); err != nil {
			return nil, fmt.Errorf("insecure registry %q: it is written host or host:port: %w", host, err)
		}
	}
	for host, mirrors := range o.Mirrors {
		for _, m := range mirrors {
			if _, err := name.NewRepository(m + "/x"); err != nil || !strings.ContainsAny(m, ".:") {
				return nil, fmt.Errorf("mirror %q of %q: it is written host:port or host/path: %w", m, host, errors.Join(err, ErrInvalid))
			}
		}
	}
	creds, err := newCredentials(o)
	if err != nil {
		return nil, err
	}
	roots, err := certificates(o.CAFile)
	if err != nil {
		return nil, err
	}
	return &registries{options: o, creds: creds, transport: newTransport(o, roots, false), insecure: newTransport(o, roots, true)}, nil
}

func (r *registries) close() {
	r.transport.CloseIdleConnections()
	r.insecure.CloseIdleConnections()
}

// request is a Request that has been looked at.
type request struct {
	Request
	name     string
	ref      name.Reference // nil for Load
	platform platform
	// ask: the registry is asked what the reference means.
	ask bool
}

// check finds what is wrong with a request before anything is done for it.
func (r *registries) check(req Request) (*request, error) {
	want, err := parsePlatform(req.Platform)
	if err != nil {
		return nil, fmt.Errorf("image %.200q: %w", req.Ref, err)
	}
	out := &request{Request: req, platform: want, name: req.Ref, ask: true}
	if req.Load != "" {
		out.name = strings.TrimSpace(req.Ref + " from " + req.Load)
		if req.LoadRoot == "" {
			return nil, fmt.Errorf("image %.200q: no directory is given to load it from: %w", req.Load, ErrInvalid)
		}
		return out, nil
	}
	if out.ref, err = parseReference(req.Ref); err != nil {
		return nil, err
	}
	out.name = out.ref.Name()
	tag, tagged := out.ref.(name.Tag)
	out.ask = req.ForcePull || tagged && tag.TagStr() == name.DefaultTag
	return out, r.allowed(out.name)
}

// parseReference reads "name", "name:tag" or "name@sha256:…" of an image in a registry.
func parseReference(s string) (name.Reference, error) {
	const longest = 1024
	bare := strings.TrimPrefix(strings.TrimPrefix(s, "docker://"), "https://")
	if len(bare) > longest {
		return nil, fmt.Errorf("image %.100q… has more than %d characters: %w", bare, longest, ErrInvalid)
	}
	ref, err := name.ParseReference(bare)
	if err != nil {
		return nil, fmt.Errorf("image %q is not a name such as busybox:1.36 or registry.example:5000/team/app@sha256:…: %w: %w", bare, ErrInvalid, err)
	}
	if slices.ContainsFunc(strings.Split(ref.Context().RepositoryStr(), "/"), func(p string) bool { return strings.Trim(p, ".") == "" }) {
		return nil, fmt.Errorf("image %q has a part that is empty or made of dots: %w", bare, ErrInvalid)
	}
	if d, ok := ref.(name.Digest); ok {
		if _, err := parseDigest(d.DigestStr()); err != nil {
			return nil, fmt.Errorf("image %q: %w: %w", bare, ErrInvalid, err)
		}
	}
	return ref, nil
}

// allowed holds a full name against the images that may be used.
func (r *registries) allowed(full string) error {
	full = strings.Replace(full, name.DefaultRegistry, "docker.io", 1)
	ok := func(prefix string) bool {
		rest, found := strings.CutPrefix(full, prefix)
		return found && (rest == "" || strings.HasSuffix(prefix, "/") || strings.ContainsRune("/:@", rune(rest[0])))
	}
	if len(r.options.Allow) == 0 || slices.ContainsFunc(r.options.Allow, ok) {
		return nil
	}
	return fmt.Errorf("image %s is not among those that this node's configuration allows (%s): %w", full, strings.Join(r.options.Allow, ", "), ErrDenied)
}

// open finds an image: in the mirrors of its registry first, then in the registry.
func (r *registries) open(ctx context.Context, req *request) (*source, error) {
	var failures []error
	for _, m := range r.mirrors(req.ref) {
		src, err := r.openAt(ctx, req, m, r.creds.stored)
		if err == nil {
			return src, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		failures = append(failures, fmt.Errorf("mirror %s: %w", m.Context(), err))
	}
	src, err := r.openAt(ctx, req, req.ref, r.creds.of(req.Auth))
	if err != nil && req.AuthSoftFail && errors.Is(err, ErrDenied) {
		src, err = r.openAt(ctx, req, req.ref, anonymous)
	}
	for _, f := range failures {
		if err != nil {
			err = fmt.Errorf("%w; %w", err, f)
		}
	}
	return src, err
}

// mirrors are the references by which the mirrors know the same image.
func (r *registries) mirrors(ref name.Reference) (out []name.Reference) {
	for _, host := range []string{ref.Context().RegistryStr(), strings.Replace(ref.Context().RegistryStr(), name.DefaultRegistry, "docker.io", 1)} {
		for _, m := range r.options.Mirrors[host] {
			sep := ":"
			if _, ok := ref.(name.Digest); ok {
				sep = "@"
			}
			if there, err := name.ParseReference(m + "/" + ref.Context().RepositoryStr() + sep + ref.Identifier()); err == nil && !containsRef(out, there) {
				out = append(out, there)
			}
		}
	}
	return out
}

func containsRef(all []name.Reference, ref name.Reference) bool {
	return slices.ContainsFunc(all, func(r name.Reference) bool { return r.Name() == ref.Name() })
}

// openAt finds an image in one registry.
func (r *registries) openAt(ctx context.Context, req *request, ref name.Reference, creds login) (*source, error) {
	b, ref, err := r.dial(ctx, ref, creds)
	if err != nil {
		return nil, err
	}
	raw, err := b.get(ctx, ref, r.options.Limits.Manifest)
	if err != nil {
		return nil, err
	}
	if d, ok := ref.(name.Digest); ok {
		want, err := parseDigest(d.DigestStr())
		if err != nil {
			return nil, err
		}
		if err := checkBytes("manifest", raw, want, -1, r.options.Limits.Manifest); err != nil {
			return nil, err
		}
	}
	return resolve(ctx, b, req.name, raw, req.platform, r.options.Limits)
}

// registryBlobs is one repository, logged in to.
type registryBlobs struct {
	puller *remote.Puller
	repo   name.Repository
	// refused is what to say when the registry does not let us have something.
	refused string
}

// refusal says what a registry did not find enough. The user's name is told, nothing else of the login.
func refusal(ctx context.Context, host string, auth authn.Authenticator) string {
	c, err := authn.Authorization(ctx, auth)
	switch {
	case err == nil && c.Username != "":
		return fmt.Sprintf("%s does not take the login of %q, or does not let it have this image", host, c.Username)
	case err == nil && *c != authn.AuthConfig{}:
		return host + " does not take the token, or does not let it have this image"
	}
	return "it may not exist, or it needs a login, and there is none for " + host +
		": give the task an auth block, or the node one in the auth block of plugin \"container\""
}

// fault is registryError, and says of a login that was not enough whose it was.
func (b *registryBlobs) fault(err error) error {
	answer, answered := errors.AsType[*transport.Error](err)
	if err = registryError(err); answered && refusing(answer.StatusCode) && errors.Is(err, ErrDenied) {
		return fmt.Errorf("%s: %w", b.refused, err)
	}
	return err
}

func refusing(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// dial prepares to speak to the registry of a reference.
func (r *registries) dial(ctx context.Context, ref name.Reference, creds login) (*registryBlobs, name.Reference, error) {
	host := ref.Context().RegistryStr()
	inner, plain := r.transport, isLoopback(host)
	if slices.Contains(r.options.Insecure, host) {
		inner, plain = r.insecure, true
		var err error
		if ref, err = name.ParseReference(ref.Name(), name.Insecure); err != nil {
			return nil, nil, err
		}
	}
	auth, err := creds(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	puller, err := remote.NewPuller(
		remote.WithTransport(&guarded{inner: inner, registry: host, insecure: plain, options: r.options}),
		remote.WithAuth(auth), remote.WithUserAgent("serai"),
	)
	if err != nil {
		return nil, nil, err
	}
	return &registryBlobs{puller, ref.Context(), refusal(ctx, host, auth)}, ref, nil
}

// isLoopback is whether a registry is on this host, which needs no encryption to
// be reached. (The library would also speak plainly to any private address.)
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (b *registryBlobs) close() {}

// get fetches a manifest. Its digest is not checked here.
func (b *registryBlobs) get(ctx context.Context, ref name.Reference, limit int64) ([]byte, error) {
	d, err := b.puller.Get(withLimit(ctx, limit), ref)
	if err != nil {
		return nil, b.fault(err)
	}
	return d.Manifest, nil
}

func (b *registryBlobs) manifest(ctx context.Context, d digest, limit int64) ([]byte, error) {
	return b.get(ctx, b.repo.Digest(d.String()), limit)
}

func (b *registryBlobs) blob(ctx context.Context, d digest, _ int64) (io.ReadCloser, error) {
	l, err := b.puller.Layer(ctx, b.repo.Digest(d.String()))
	if err != nil {
		return nil, b.fault(err)
	}
	rc, err := l.Compressed()
	if err != nil {
		return nil, b.fault(err)
	}
	return readCloser{errorReader{rc}, rc}, nil
}

// errorReader gives errors on the way their kind.
type errorReader struct{ io.Reader }

func (r errorReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = registryError(err)
	}
	return n, err
}

// registryError gives what a registry or the way to it answered one of our kinds.
func registryError(err error) error {
	if len(err.Error()) > maxErrorText {
		err = shortError{err}
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, errAbandoned, ErrStalled, ErrTooLarge, ErrDenied, ErrCorrupt, ErrUnavailable} {
		if errors.Is(err, known) {
			return err
		}
	}
	text := err.Error()
	answer, answered := errors.AsType[*transport.Error](err)
	switch {
	case strings.Contains(text, "error verifying") || strings.Contains(text, "does not match") || errors.Is(err, io.ErrUnexpectedEOF):
		return kind(ErrCorrupt, err)
	case !answered:
		return kind(ErrUnavailable, err)
	case answer.StatusCode == http.StatusNotFound:
		return kind(ErrNotFound, err)
	case refusing(answer.StatusCode):
		return kind(ErrDenied, err)
	case answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests:
		return kind(ErrUnavailable, err)
	}
	return kind(ErrInvalid, err)
}

// maxErrorText is how much of what a registry may have written is shown.
const maxErrorText = 600

// shortError shows the beginning of an error.
type shortError struct{ error }

// Error is the beginning of the text.
func (e shortError) Error() string { return e.error.Error()[:maxErrorText] + "…" }

// Unwrap returns the whole error.
func (e shortError) Unwrap() error { return e.error }

// anonymous logs in nowhere.
func anonymous(context.Context, string) (authn.Authenticator, error) { return authn.Anonymous, nil }
