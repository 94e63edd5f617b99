package docker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
)

const (
	defaultEndpoint = "unix:///var/run/docker.sock"
	// callTimeout is how long the engine may take over what is no wait.
	callTimeout = time.Minute
)

// facts are what is known of the engine.
type facts struct {
	apiVersion string
	cpus       int
}

// engine is the connection to the Docker Engine. It is made when first needed.
type engine struct {
	mu       sync.Mutex
	settings config
	cli      *client.Client
	facts    facts
}

// use sets the configuration; a connection made by another one is not used any more.
func (e *engine) use(c config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cli != nil && (e.settings.Endpoint != c.Endpoint || e.settings.TLS != c.TLS) {
		// Calls that go on use it to their end.
		e.cli = nil
	}
	e.settings = c
}

// client returns the client, which may never have reached the engine.
func (e *engine) client() (*client.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cli != nil {
		return e.cli, nil
	}
	opts := []client.Opt{client.WithHost(e.settings.Endpoint)}
	if e.settings.TLS.Cert != "" {
		opts = append(opts, client.WithTLSClientConfig(e.settings.TLS.CA, e.settings.TLS.Cert, e.settings.TLS.Key))
	}
	opts = append(opts, client.WithHTTPHeaders(map[string]string{"User-Agent": "serai"}))
	cli, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: %w", e.settings.Endpoint, err)
	}
	e.cli = cli
	return cli, nil
}

// ready returns the client once the engine has answered, and what is known of it.
func (e *engine) ready(ctx context.Context) (*client.Client, facts, error) {
	cli, err := e.client()
	if err != nil {
		return nil, facts{}, err
	}
	e.mu.Lock()
	known := e.facts
	e.mu.Unlock()
	if known.apiVersion != "" {
		return cli, known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := cli.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, facts{}, e.explain(err)
	}
	known = facts{apiVersion: cli.ClientVersion(), cpus: info.Info.NCPU}
	e.mu.Lock()
	e.facts = known
	e.mu.Unlock()
	return cli, known, nil
}

// explain says where the engine was looked for.
func (e *engine) explain(err error) error {
	if client.IsErrConnectionFailed(err) {
		return fmt.Errorf("the Docker Engine at %s does not answer: is it running? %w", e.settings.Endpoint, err)
	}
	return err
}

// startError makes an error of the engine one of Start: what the engine refuses will be refused again, what goes wrong in it may not.
func startError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*drivers.StartError](err); ok {
		return err
	}
	final := cerrdefs.IsInvalidArgument(err) || cerrdefs.IsPermissionDenied(err) || cerrdefs.IsUnauthorized(err) || cerrdefs.IsNotImplemented(err)
	return &drivers.StartError{Recoverable: !final, Err: err}
}

// gone is whether the engine says that there is no such thing.
func gone(err error) bool { return cerrdefs.IsNotFound(err) }

// forget drops what is known of the engine, which went away: another version of it may come back.
func (e *engine) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cli != nil {
		_ = e.cli.Close() // only what nobody uses
	}
	e.cli, e.facts = nil, facts{}
}
