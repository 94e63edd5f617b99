package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// Nodes answers client agents.
type Nodes interface {
	Register(ctx context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error)
	Heartbeat(ctx context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error)
	Heartbeats(ctx context.Context, beats []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error)
	Sync(ctx context.Context, req *api.NodeSyncRequest, send func(*api.NodeSync) error) error
	UpdateAllocs(ctx context.Context, req *api.AllocUpdateRequest) error
	UpdateMany(ctx context.Context, reqs []*api.AllocUpdateRequest) ([]error, error)
	ResolveToken(ctx context.Context, req *api.TokenResolveRequest) (*api.TokenResolveResponse, error)
	SignIdentities(ctx context.Context, req *api.IdentitySignRequest) (*api.IdentitySignResponse, error)
}

const (
	// bodyTimeout is how long a call may take to send its body.
	bodyTimeout = 30 * time.Second
	// sendTimeout is how long the other side may take to read a message.
	sendTimeout = 30 * time.Second
)

// Handler answers the calls of client agents, which are under Prefix.
type Handler struct {
	nodes   Nodes
	trust   Trust // nil: no certificates are signed here
	logger  *slog.Logger
	encoded encoded
	servers Servers // nil: this server is alone
}

// NewHandler makes the handler; trust may be nil.
func NewHandler(nodes Nodes, trust Trust, logger *slog.Logger) *Handler {
	return &Handler{nodes: nodes, trust: trust, logger: logger}
}

// ServeHTTP answers a call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Also when the call was given up: it may be this server that stops, and what
	// is not answered would be sent as a success.
	if err := h.serve(w, r); err != nil {
		h.logger.Debug("call failed", "call", r.URL.Path, "remote", r.RemoteAddr, "err", err)
		writeError(w, serverError(err))
	}
}

// serverError gives what is told of an error: that a server ends is its own
// affair, the caller should ask another one.
func serverError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return api.Errorf(api.ErrUnavailable, "the server did not answer in time or is stopping: %v", err)
	}
	return err
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != contentType {
		return api.Errorf(api.ErrInvalid, "a call between agents is a POST of %s", contentType)
	}
	var body []byte
	err := within(bodyTimeout, http.NewResponseController(w).SetReadDeadline, func() (err error) {
		body, err = readAll(r.Body, bodyLimit(r.URL.Path), "the request")
		return err
	})
	if err != nil {
		return err
	}
	if done, err := h.trusting(w, r, body); done || err != nil {
		return err
	}
	switch r.URL.Path {
	case pathRegister:
		return answer(r.Context(), w, body, telling(h, h.nodes.Register))
	case pathHeartbeat:
		return answer(r.Context(), w, body, telling(h, h.nodes.Heartbeat))
	case pathStatus:
		if h.servers != nil {
			return answer(r.Context(), w, body, h.servers.Status)
		}
	case pathDeadlines:
		if h.servers != nil {
			return answer(r.Context(), w, body, h.servers.Deadlines)
		}
	case pathIndex:
		if h.servers != nil {
			return answer(r.Context(), w, body, h.servers.ReadIndex)
		}
	case pathBeats:
		return answer(r.Context(), w, body, h.heartbeats)
	case pathResolve:
		return answer(r.Context(), w, body, h.nodes.ResolveToken)
	case pathSign:
		return answer(r.Context(), w, body, h.nodes.SignIdentities)
	case pathUpdate:
		req, err := decodeUpdate(body)
		if err != nil {
			return err
		}
		if err := h.nodes.UpdateAllocs(r.Context(), req); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case pathUpdates:
		return h.updates(w, r, body)
	case pathSync:
		req, err := decodeSyncRequest(body)
		if err != nil {
			return err
		}
		return h.sync(w, r, req)
	}
	return api.Errorf(api.ErrNotFound, "this server knows no call %s; is it of an older version?", r.URL.Path)
}

// bodyLimit bounds the body of a call. What is decoded from CBOR can take more
// than a hundred times the memory that it came in.
func bodyLimit(path string) int64 {
	switch path {
	case pathUpdate, pathUpdates:
		return maxRequest
	case pathRegister, pathDeadlines, pathSync:
		return maxNode
	case pathBeats:
		return maxBeats
	}
	return maxSmall
}

// answer answers a call whose request and answer are objects.
func answer[Req, Resp any](ctx context.Context, w http.ResponseWriter, body []byte, call func(context.Context, *Req) (*Resp, error)) error {
	req := new(Req)
	if err := decodeObject(body, "request", req); err != nil {
		return err
	}
	resp, err := call(ctx, req)
	if err != nil {
		return err
	}
	b, err := wire.Marshal(resp)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(b) // an error is that the caller is gone
	return nil
}

// sync sends a node's stream. An error after the first message is its last frame.
func (h *Handler) sync(w http.ResponseWriter, r *http.Request, req *api.NodeSyncRequest) error {
	s := &sender{w: w, c: http.NewResponseController(w)}
	err := h.nodes.Sync(r.Context(), req, func(m *api.NodeSync) error {
		room := buffers.Get().(*[]byte)
		defer buffers.Put(room)
		b, err := h.encoded.encodeSync((*room)[:frameHead], m)
		if err != nil {
			return err
		}
		if cap(b) <= maxKept {
			*room = b
		}
		if b, err = sealFrame(b, frameMessage); err != nil {
			return err
		}
		return s.send(b)
	})
	if err == nil || !s.begun {
		return err
	}
	if b, err := errorFrame(serverError(err)); err == nil && !s.broken {
		_ = s.send(b)
	}
	return nil
}

// buffers are what messages are built in; those beyond maxKept are not kept.
var buffers = sync.Pool{New: func() any { b := newFrame(); return &b }}

const maxKept = 256 << 10

// sender writes frames, each at once.
type sender struct {
	w      http.ResponseWriter
	c      *http.ResponseController
	begun  bool
	broken bool // nobody reads any more
}

func (s *sender) send(frame []byte) error {
	if !s.begun {
		s.w.Header().Set("Content-Type", contentType)
		s.begun = true
	}
	err := within(sendTimeout, s.c.SetWriteDeadline, func() error {
		if err := s.write(frame); err != nil {
			return err
		}
		return s.c.Flush()
	})
	s.broken = err != nil
	return err
}

// maxWrite is how much is written at once. Each connection of HTTP/2 keeps a
// buffer of the size of the largest part that ever went over it.
const maxWrite = 4 << 10

func (s *sender) write(frame []byte) error {
	for part := range slices.Chunk(frame, maxWrite) {
		if _, err := s.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}
