package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client"
	"github.com/seraihq/serai/command/agent/audit"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/agent/listen"
	"github.com/seraihq/serai/command/agent/rest"
	"github.com/seraihq/serai/command/agent/webui"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/slow"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server"
	"github.com/seraihq/serai/ui"
)

// Options are the surroundings of Run.
type Options struct {
	Stdout io.Writer // told when the agent is ready
	Stderr io.Writer // the log
	// Reload reads the configuration anew, for SIGHUP; nil: it cannot be.
	Reload func() (*config.Agent, error)

	// For tests: told once the parts are open, and how often trust is looked at.
	started    func(a *Agent)
	trustEvery time.Duration
}

// stopGrace is how long open requests have to end when the agent stops.
const stopGrace = 5 * time.Second

// Agent is a running agent.
type Agent struct {
	cfg         *config.Agent
	options     Options
	logs        *logs
	logger      *slog.Logger
	telemetry   *telemetry.Telemetry
	lock        *lock
	server      *server.Server // nil: none
	client      *client.Client // nil: none
	remote      *rpc.Client    // the servers of a client that is alone; nil: none
	peers       peers          // the other servers of a server
	http        *listen.Server
	rpc         *listen.Server              // nil: none
	inward      *inward                     // this agent asks itself by it
	sockets     *taskSockets                // nil: no client
	audit       *audit.Log                  // of what the API is asked; nil: there is none
	keys        *tlsx.Keys                  // nil: no TLS
	dialer      *tlsx.Dialer                // to servers
	joins       net.Listener                // of those that have no certificate yet; nil: none can join
	shown       string                      // serial number of the certificate that the servers have seen; keepTrust\'s own
	lookNow     chan struct{}               // wakes keepTrust
	scratch     string                      // directory of a dev agent, removed at its end
	scratchLock *lock                       // of that directory
	traces      func(context.Context) error // ends their delivery; nil: none

	mu       sync.Mutex // guards reloads
	reloaded *config.Agent
}

// Run runs an agent until ctx ends, a signal asks it to, or it cannot go on.
// A stop leaves the tasks running, unless it is a dev agent.
func Run(ctx context.Context, cfg *config.Agent, o Options) error {
	if err := refuse(cfg); err != nil {
		return err
	}
	syscall.Umask(0o077)
	l, err := openLogs(cfg, o.Stderr)
	if err != nil {
		return err
	}
	defer l.close()
	a := &Agent{lookNow: make(chan struct{}, 1), inward: newInward(), cfg: cfg, options: o, logs: l, logger: l.logger, reloaded: cfg}
	defer a.close()
	for _, u := range cfg.Unused {
		l.logger.Debug("configuration key is accepted and has no effect", "key", u.Key, "file", u.File, "line", u.Line)
	}
	if err := a.open(); err != nil {
		return err
	}
	if o.started != nil {
		o.started(a)
	}
	return a.run(ctx)
}

// refuse names what the configuration asks for and is not there yet.
func refuse(cfg *config.Agent) error {
	switch {
	case !cfg.Enabled():
		return api.Errorf(api.ErrInvalid, "neither server nor client is enabled; set server { enabled = true }, client { enabled = true }, or start with -dev")
	case !cfg.Server.Enabled && len(cfg.Client.Servers) == 0:
		return api.Errorf(api.ErrInvalid, "a client without a server in the same agent needs to know its servers; set client { servers = [\"127.0.0.1:4647\"] }")
	case cfg.DevMode && cfg.Server.BootstrapExpect > 1:
		return api.Errorf(api.ErrInvalid, "server.bootstrap_expect = %d: a dev agent is alone, its state is in memory; start servers without -dev to make a cluster", cfg.Server.BootstrapExpect)
	case cfg.Client.Enabled && cfg.Client.CgroupParent != "/serai":
		return api.Errorf(api.ErrNotBuilt, "client.cgroup_parent = %q: a parent other than \"/serai\" is not there yet; leave the key out", cfg.Client.CgroupParent)
	}
	return nil
}

// open opens the parts. What it opened is closed by close, also after an error.
func (a *Agent) open() error {
	var err error
	if !a.cfg.DevMode || a.cfg.DataDir != "" {
		if a.lock, err = takeLock(a.cfg.DataDir); err != nil {
			return err
		}
	}
	t := a.cfg.Telemetry
	if a.telemetry, err = telemetry.Start(telemetry.Config{
		Interval: t.InMemoryCollectionInterval, Retention: t.InMemoryRetentionPeriod, Prometheus: t.PrometheusMetrics,
		StatsdAddr: t.StatsdAddress, StatsiteAddr: t.StatsiteAddress, HostLabel: a.hostLabel(), NoHostLabel: t.DisableHostname,
		PrefixFilter: t.PrefixFilter, DropUnfiltered: !t.FilterDefault,
	}); err != nil {
		return err
	}
	slow.Configure(slow.Limits{Request: t.SlowRequest, Commit: t.SlowCommit, Apply: t.SlowApply, Fsync: t.SlowFsync, Evaluation: t.SlowEvaluation})
	if err := a.startTraces(); err != nil {
		return err
	}
	if err = a.openKeys(); err != nil {
		return err
	}
	if a.audit, err = a.openAudit(); err != nil {
		return err
	}
	if a.http, err = a.listen(); err != nil {
		return err
	}
	if a.rpc, err = a.listenRPC(); err != nil {
		return err
	}
	if a.cfg.Server.Enabled {
		a.peers.client = rpc.NewClient(nil, a.dialer)
		if a.server, err = a.openServer(); err != nil {
			return fmt.Errorf("start server: %w", err)
		}
	} else {
		a.remote = rpc.NewClient(a.cfg.Client.Servers, a.dialer)
	}
	if a.client, err = a.openClient(); err != nil {
		return fmt.Errorf("start client: %w", err)
	}
	return nil
}

func (a *Agent) hostLabel() string {
	if a.cfg.Telemetry.UseNodeName {
		return a.cfg.Name
	}
	return ""
}

func (a *Agent) close() {
	if a.http != nil {
		_ = a.http.Close()
	}
	a.sockets.close()
	if a.rpc != nil {
		_ = a.rpc.Close()
	}
	if a.remote != nil {
		a.remote.Close()
	}
	if a.peers.client != nil {
		a.peers.client.Close()
	}
	if a.server != nil {
		if err := a.server.Close(); err != nil {
			a.logger.Error("server did not close cleanly", "err", err)
		}
	}
	if a.scratch != "" {
		defer a.scratchLock.release()
		if err := os.RemoveAll(a.scratch); err != nil {
			a.logger.Warn("the dev agent's directory is not removed", "dir", a.scratch, "err", err)
		}
	}
	a.stopTraces()
	if a.audit != nil {
		_ = a.audit.Close()
	}
	a.lock.release()
}

// run runs the parts: the server first and stopped last, then the client, then
// the API.
func (a *Agent) run(ctx context.Context) error {
	ctx, stop := a.untilAsked(ctx)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	serverCtx, stopServer := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServer()
	serverDone := make(chan error, 1)
	go func() { serverDone <- a.runServer(serverCtx) }()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { // the server's end is the agent's
		select {
		case err := <-serverDone:
			serverDone <- err
			return errors.Join(errors.New("the server stopped"), err)
		case <-ctx.Done():
			return nil
		}
	})
	a.startClient(ctx, g)
	handler := a.handler()
	people := a.audited(handler, handler)
	a.http.Handle(a.guarded(a.http, people))
	a.sockets.answer(handler)
	g.Go(func() error { return a.http.Run(ctx) })
	g.Go(func() error { return a.inward.run(ctx, people, a.logger.With("component", "http")) })
	if a.rpc != nil {
		a.rpc.Handle(a.guarded(a.rpc, a.rpcHandler(people)))
		g.Go(func() error { return a.rpc.Run(ctx) })
		g.Go(func() error { return a.serveJoins(ctx) })
	}
	g.Go(func() error { return a.announce(ctx) })
	g.Go(func() error { tendMemory(ctx); return nil })
	g.Go(func() error { a.keepTrust(ctx); return nil })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-hup:
				if err := a.Reload(); err != nil {
					a.logger.Error("configuration was not reloaded, the old one holds", "err", err)
				}
			}
		}
	})
	<-ctx.Done()
	stop() // a second signal ends the process at once
	a.logger.Info("stopping")
	if a.server != nil {
		a.server.HandOver()
	}
	err := g.Wait()
	stopServer()
	err = errors.Join(err, <-serverDone)
	a.logger.Info("stopped")
	return err
}

// runServer runs the server; without one it waits for the end.
func (a *Agent) runServer(ctx context.Context) error {
	if a.server == nil {
		<-ctx.Done()
		return nil
	}
	return a.server.Run(ctx)
}

// announce says when the agent can be used.
func (a *Agent) announce(ctx context.Context) error {
	what := "client"
	if a.server != nil {
		what = "server"
		select {
		case <-a.server.Ready():
		case <-ctx.Done():
			return nil
		}
	}
	if a.client != nil {
		if a.server != nil {
			what = "server and client"
		}
		select {
		case <-a.client.Registered():
		case <-ctx.Done():
			return nil
		}
	}
	mode := ""
	if a.cfg.DevMode {
		mode = " in dev mode: its state is in memory and ends with it"
	}
	_, err := fmt.Fprintf(a.options.Stdout, "serai is ready: %s%s\n    HTTP API  %s://%s\n    Try       serai status\n", what, mode, scheme(a.httpTLS()), a.http.Address())
	if err != nil {
		a.logger.Debug("nobody reads standard output", "err", err)
	}
	a.logger.Info("agent is ready", "address", a.http.Address().String(), "version", version.String())
	return nil
}

// Reload takes over what can be changed while the agent runs: the log level, and
// the keys and authorities of TLS.
func (a *Agent) Reload() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.options.Reload == nil {
		return api.Errorf(api.ErrInvalid, "this agent has no configuration files to read again")
	}
	fresh, err := a.options.Reload()
	if err != nil {
		return fmt.Errorf("reload configuration: %w", err)
	}
	a.reloaded = a.reloaded.Reload(fresh)
	if err := a.logs.setLevel(a.reloaded.LogLevel); err != nil {
		return err
	}
	if err := a.reloadKeys(); err != nil {
		return err
	}
	select {
	case a.lookNow <- struct{}{}:
	default:
	}
	a.logger.Info("configuration reloaded", "log_level", a.reloaded.LogLevel)
	return nil
}

// webUI makes what answers /ui/.
func (a *Agent) webUI() http.Handler {
	c := a.cfg.UI
	return webui.New(ui.Files(), webui.Options{
		Enabled: c.Enabled, Label: c.Label.Text, LabelBackground: c.Label.BackgroundColor, LabelColor: c.Label.TextColor,
	})
}

// handler makes the HTTP API with all that stands before it.
func (a *Agent) handler() *rest.API {
	c := rest.Config{
		UI:     a.webUI(),
		Client: a.client, Agent: a, Logs: a.logs.hub, Telemetry: a.telemetry,
		Nodes:   &tlsx.Dialer{Keys: a.keys, Region: a.cfg.Region},
		Headers: a.cfg.HTTPAPIResponseHeaders, MaxBody: a.cfg.Limits.HTTPMaxBodyBytes, Debug: a.cfg.EnableDebug, Logger: a.logger,
	}
	if a.server != nil {
		c.Server = a.server
		if !a.cfg.DevMode {
			c.Peer = a.peers.http
		}
	} else {
		c.Servers = a.remote
	}
	if a.cfg.ACL.Enabled {
		c.Auth = a.authorizer()
	}
	return rest.New(c)
}
