package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client"
	"github.com/seraihq/serai/command/agent/listen"
	"github.com/seraihq/serai/command/agent/monitor"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/auth"
)

// Server is what the API needs of the server part of an agent.
type Server interface {
	Cluster
	// Answers says whether the operation is answered by Handle.
	Answers(op *api.Endpoint) bool
	// Handle runs an operation; req points to its request type.
	Handle(ctx context.Context, op *api.Endpoint, req any) (any, api.Meta, error)
	// Leader gives the address of the leader; empty when there is none.
	Leader() string
	// Route waits for a leader, for a bounded time, and gives its address; empty:
	// it is this server.
	Route(ctx context.Context) (address string, err error)
	// CatchUp has a server that does not lead know all that the leader knows, so
	// that Handle can answer a read there, with the context that it gives; not ok:
	// the read is for the leader.
	CatchUp(ctx context.Context, consistent bool) (_ context.Context, ok bool, err error)
	// Address is where other servers reach this one.
	Address() string
	Peers() []string
	Members() api.ServerMembers
	RaftConfiguration() (api.RaftConfiguration, error)
	Operator
	// SaveSnapshot writes the whole state: the leader's, or, stale, this server's.
	SaveSnapshot(ctx context.Context, w io.Writer, stale bool) error
	// RestoreSnapshot replaces the whole state, or leaves it as it is. foreign
	// allows a state of another cluster.
	RestoreSnapshot(ctx context.Context, r io.Reader, foreign bool) error
	// Events opens a stream: next gives the events of one index at a time.
	Events(ctx context.Context, req *api.EventStreamRequest) (next func(context.Context) (*api.Events, error), err error)
	// IdentityKeys gives the public keys of identities, as a JSON Web Key set, and
	// Issuer the URL that identities name as their issuer; empty: none.
	IdentityKeys(ctx context.Context) (any, error)
	Issuer() string
	// Locate gives the node of an allocation.
	Locate(allocID string) (nodeID string, ok bool)
	// Node gives what is known of a node.
	Node(id string) (*api.Node, bool)
	// MigrateToken gives the token by which the node of an allocation hands its
	// disk out, to the node whose own token this is.
	MigrateToken(token api.Sensitive, allocID string) (api.Sensitive, error)
}

// Operator is what operators do to the servers. It is for the leader.
type Operator interface {
	RemovePeer(ctx context.Context, id string) error
	TransferLeadership(ctx context.Context, id, address string) error
	NodeBrake() api.NodeBrake
	ReleaseNodeBrake()
	// Verify compares the states of all servers at one place in the log.
	Verify(ctx context.Context) (api.StateVerification, error)
}

// Servers are other agents that have a server, for an agent that has none.
type Servers interface {
	http.RoundTripper
	// Servers lists their addresses.
	Servers() []string
	// SetServers replaces them.
	SetServers(addresses []string)
}

// Agent is what the API needs to know of the agent itself.
type Agent interface {
	Region() string
	Self() api.AgentSelfResponse
	Health() api.AgentHealthResponse
	// Leads says whether its server is the leader.
	Leads() bool
	Reload() error
}

// Config is what New needs. Server or Client may be nil; without Server there
// are Servers.
type Config struct {
	Server  Server
	Servers Servers
	// Peer gives the way to the server at an address; nil: this one is alone.
	Peer      func(address string) http.RoundTripper
	Client    *client.Client
	Agent     Agent
	Nodes     *tlsx.Dialer // to the agents of nodes; nil: none is reached
	Auth      Authorizer   // nil: access control is off
	UI        http.Handler // answers /ui/; nil: nobody does
	Logs      *monitor.Hub
	Telemetry *telemetry.Telemetry
	Headers   map[string]string // added to every response
	MaxBody   int64
	Debug     bool // serves profiles
	Logger    *slog.Logger
}

const (
	// bodyTimeout is how long a request may take to send its body.
	bodyTimeout = time.Minute
	// answerTimeout is how long a caller may take to read an answer that is no
	// stream.
	answerTimeout = 5 * time.Minute
)

// API is the HTTP API of an agent.
type API struct {
	Config
	router      *api.Router
	proxies     proxies
	values      map[*api.Endpoint]valueHandler
	streams     map[*api.Endpoint]streamHandler
	guesses     guesses
	bodyTimeout time.Duration
}

// valueHandler answers with one value.
type valueHandler func(ctx context.Context, req any) (any, error)

// streamHandler writes its answer itself. An error before the first byte
// becomes a status.
type streamHandler func(w http.ResponseWriter, r *http.Request, req any) error

// New makes the API's handler.
func New(c Config) *API {
	a := &API{
		Config: c, router: api.NewRouter(api.Endpoints),
		values: map[*api.Endpoint]valueHandler{}, streams: map[*api.Endpoint]streamHandler{},
		bodyTimeout: bodyTimeout,
	}
	a.Logger = c.Logger.With("component", "http")
	if a.UI == nil {
		a.UI = http.NotFoundHandler()
	}
	a.proxies = a.newProxies()
	a.agentHandlers()
	a.memberHandlers()
	a.clientHandlers()
	return a
}

// value declares the handler of an operation that answers with one value.
func value[Req, Resp any](a *API, op api.Op[Req, Resp], h func(ctx context.Context, req *Req) (Resp, error)) {
	a.values[op.Endpoint] = func(ctx context.Context, req any) (any, error) { return h(ctx, req.(*Req)) }
}

// stream declares the handler of an operation that writes its answer itself.
func stream[Req any](a *API, op api.Op[Req, api.Raw], h func(w http.ResponseWriter, r *http.Request, req *Req) error) {
	a.streams[op.Endpoint] = func(w http.ResponseWriter, r *http.Request, req any) error { return h(w, r, req.(*Req)) }
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer a.recover(w, r)
	for k, v := range a.Headers {
		w.Header().Set(k, v)
	}
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/v1/") {
		a.other(w, r)
		return
	}
	match := a.router.Route(method(r), path)
	switch {
	case strings.Contains(match.Value("id"), "/") && unbuiltBehind(path) != "":
		// A job's ID may hold slashes; what stands behind one is meant first.
		notThere(w, unbuiltBehind(path))
	case match.Endpoint != nil:
		err := a.lasting(w, a.withSecret(r), match)
		if auth.WrongSecret(err) && a.guesses.slow(w, r) {
			return
		}
		if err != nil && a.streams[match.Endpoint] != nil && r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // a part may have been sent: what is missing must not look like the end
		}
		if err != nil {
			a.fail(w, r, err)
		}
	case match.Known:
		http.Error(w, "Invalid method", http.StatusMethodNotAllowed)
	default:
		a.unknown(w, r, path)
	}
}

// method gives the method that the table knows: HEAD is GET without a body.
func method(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, match api.Match) error {
	op := match.Endpoint
	if err := a.operatorsOnly(r, op); err != nil {
		return err
	}
	r, here, err := a.catchUp(r, op)
	if err != nil {
		return err
	}
	if !here {
		if done, err := a.forward(w, r, match); done || err != nil {
			return err
		}
	}
	req := reflect.New(op.Request).Interface()
	var body io.Reader
	deadlines := http.NewResponseController(w)
	if op.HasBody() && r.Body != nil {
		body = r.Body
		if !op.RawBody() {
			body = listen.JSONDepth(r.Body, listen.MaxJSONDepth)
		}
		_ = deadlines.SetReadDeadline(time.Now().Add(a.bodyTimeout))
	}
	err = api.DecodeRequest(req, match.Value, r.URL.Query(), body)
	if late := a.late(w, err); late != nil {
		return late
	}
	// From here on a read only waits for the caller to go away.
	_ = deadlines.SetReadDeadline(time.Time{})
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return listen.TooLarge(large.Limit)
		}
		return err
	}
	if a.checkedHere(op) && !inHandshake(r, op) {
		if err := a.permit(r.Context(), op, req); err != nil {
			return err
		}
	}
	if h, ok := a.streams[op]; ok {
		ctx, done := r.Context(), func() {}
		if !inHandshake(r, op) {
			ctx, done = a.guarded(ctx, op, req)
		}
		defer done()
		return h(w, r.WithContext(ctx), req)
	}
	resp, meta, err := a.answer(r.Context(), op, req)
	writeMeta(w.Header(), meta)
	_ = deadlines.SetWriteDeadline(time.Now().Add(answerTimeout))
	defer func() { _ = deadlines.SetWriteDeadline(time.Time{}) }()
	if err != nil {
		return err
	}
	return writeValue(w, r, resp)
}

// late gives the refusal of a request whose body has not come in time; nil: that
// is not what err is about. The deadline stays over and the connection ends, or
// net/http would read on, for the next request, as slowly as the caller likes.
func (a *API) late(w http.ResponseWriter, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	w.Header().Set("Connection", "close")
	return lateError{api.Errorf(api.ErrInvalid, "the request's body has not come within %s", a.bodyTimeout)}
}

// lateError marks what is told although net/http gives the request up with its body.
type lateError struct{ error }

func (e lateError) Unwrap() error { return e.error }

// answer has an operation answered by whoever can.
func (a *API) answer(ctx context.Context, op *api.Endpoint, req any) (any, api.Meta, error) {
	if h, ok := a.values[op]; ok {
		resp, err := h(ctx, req)
		return resp, api.Meta{KnownLeader: a.Server != nil && a.Server.Leader() != ""}, err
	}
	if a.Server == nil {
		return nil, api.Meta{}, api.Errorf(api.ErrUnavailable, "%s needs a server and this agent is none; ask an agent with `server { enabled = true }`", op.Name)
	}
	if !a.Server.Answers(op) {
		return nil, api.Meta{}, api.Errorf(api.ErrNotBuilt, "%s is not there yet", op.Name)
	}
	return a.Server.Handle(ctx, op, req)
}

// fail writes an error as plain text, with the status of its kind. A request that
// was given up is answered as well: it may be this agent that stops, and what is
// not answered would be sent as a success.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if _, late := err.(lateError); r.Context().Err() != nil && !late {
		err = api.Errorf(api.ErrUnavailable, "this agent is stopping, and nobody knows yet whether the request was carried out: ask another one")
	}
	status := api.Status(err)
	a.Logger.Debug("request failed", "method", r.Method, "path", loggable(r.URL.Path), "status", status, "err", err)
	h := w.Header()
	h.Del("Content-Encoding")
	http.Error(w, err.Error(), status)
}

// loggable gives a path as logs may show it. Where an accessor belongs people
// send the secret, too.
func loggable(path string) string {
	const tokens = "/v1/acl/token/"
	if rest, ok := strings.CutPrefix(path, tokens); ok && rest != "self" && !strings.HasPrefix(rest, "self/") && !strings.HasPrefix(rest, "onetime") {
		return tokens + "<redacted>"
	}
	return path
}

func (a *API) recover(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	a.Logger.Error("a request handler panicked, the request is lost", "method", r.Method, "path", loggable(r.URL.Path),
		"err", fmt.Sprint(p), "stack", string(debug.Stack()))
	http.Error(w, "internal error; the agent's log tells more", http.StatusInternalServerError)
}
