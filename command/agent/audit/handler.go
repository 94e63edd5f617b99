package audit

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// Who finds out whose a secret is; the empty one is everybody's.
type Who func(ctx context.Context, secret api.Sensitive) (*auth.Identity, error)

// Caller says how requests are read.
type Caller struct {
	Who      Who                                 // nil: access control is off
	Secret   func(r *http.Request) api.Sensitive // the secret that a request brings
	Endpoint func(r *http.Request) string        // the path as it may be shown; empty: the request is not written down
	Hops     string                              // the header that counts the agents which have passed a request on
}

const (
	// idHeader carries the ID of a request to the agents that it is passed on to.
	idHeader = "Serai-Request"
	// askTimeout is how long it may take to find out who asks.
	askTimeout = 5 * time.Second
)

// Handler writes down what next is asked.
func (l *Log) Handler(c Caller, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint := c.Endpoint(r)
		if endpoint == "" {
			next.ServeHTTP(w, r)
			return
		}
		e := &entry{log: l, caller: c, who: c.auth(r.Context(), c.Secret(r)), request: c.request(r, endpoint)}
		r.Header.Set(idHeader, e.request.ID)
		if err := l.write(Received, e.who, e.request, nil); err != nil {
			http.Error(w, err.Error(), api.Status(err))
			return
		}
		out := &writer{ResponseWriter: w, entry: e}
		defer out.end()
		next.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), entryKey{}, e)))
		out.finished = true
	})
}

func (c Caller) auth(ctx context.Context, secret api.Sensitive) Auth {
	if c.Who == nil {
		return Auth{}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	identity, err := c.Who(ctx, secret)
	return authOf(identity, secret, err)
}

func (c Caller) request(r *http.Request, endpoint string) Request {
	hops, _ := strconv.Atoi(r.Header.Get(c.Hops))
	id := r.Header.Get(idHeader)
	if _, err := uuid.Parse(id); err != nil || hops <= 0 || len(id) != 36 {
		id, hops = uuid.NewString(), max(hops, 0)
	}
	return Request{
		ID: id, Operation: r.Method, Endpoint: endpoint, Namespace: namespaceOf(r), ForwardedBy: hops,
		RequestMeta: RequestMeta{RemoteAddress: r.RemoteAddr, UserAgent: cut(strings.ToValidUTF8(r.UserAgent(), "?"))},
	}
}

type entryKey struct{}

// entry is a request that is written down.
type entry struct {
	log     *Log
	caller  Caller
	who     Auth
	request Request
}

// Session writes down who opens a session whose token comes with its first
// message, and whether they may: refused is why not. An error says that the
// session must not go on.
func Session(ctx context.Context, secret api.Sensitive, refused error) error {
	e, ok := ctx.Value(entryKey{}).(*entry)
	if !ok {
		return nil
	}
	req := e.request
	req.SessionOpened = true
	resp := &Response{StatusCode: http.StatusOK}
	if refused != nil {
		resp = &Response{StatusCode: api.Status(refused), Error: refused.Error()}
	}
	return e.log.write(Complete, e.caller.auth(ctx, secret), req, resp)
}
