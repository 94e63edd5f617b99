package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client"
	"github.com/seraihq/serai/command/agent/audit"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/server/auth"
)

const (
	// execFrame is the most output that one message carries.
	execFrame = 32 << 10
	// execMessage is the largest message that a session takes.
	execMessage = 1 << 20
	// closeReason is how long the text of a close frame may be.
	closeReason = 120
)

// order is what a session runs, once it is known to be right.
type order struct {
	alloc, task string
	command     []string
}

// asked is what a session was asked for.
type asked struct {
	op        *api.Endpoint
	req       any
	tty       bool
	handshake bool // the first message brings the token
}

// exec runs a command in a task over a WebSocket.
func (a *API) exec(w http.ResponseWriter, r *http.Request, req *api.AllocExecRequest) error {
	return a.session(w, r, asked{api.AllocExec.Endpoint, req, req.TTY, req.WSHandshake}, func() (order, error) {
		o := order{alloc: req.ID, task: req.Task}
		if err := json.Unmarshal([]byte(req.Command), &o.command); err != nil {
			return o, api.Errorf(api.ErrInvalid, "command must be a JSON array of strings: %v", err)
		}
		if len(o.command) == 0 || o.command[0] == "" {
			return o, api.Errorf(api.ErrInvalid, "command is empty")
		}
		return o, a.hasAlloc(req.ID)
	})
}

// action runs one of a job's actions as exec runs a command.
func (a *API) action(w http.ResponseWriter, r *http.Request, req *api.JobActionRequest) error {
	return a.session(w, r, asked{api.JobActionRun.Endpoint, req, req.TTY, req.WSHandshake}, func() (order, error) {
		if err := a.hasAlloc(req.AllocID); err != nil {
			return order{}, err
		}
		namespace := req.Namespace
		if namespace == "" {
			namespace = api.DefaultNamespace
		}
		task, command, err := a.Client.Action(r.Context(), client.ActionRequest{
			AllocID: req.AllocID, Namespace: namespace, JobID: req.ID, Group: req.Group, Task: req.Task, Action: req.Action,
		})
		return order{alloc: req.AllocID, task: task, command: command}, err
	})
}

// session runs what find gives over a WebSocket. Errors are told in the close
// frame, as every client expects.
func (a *API) session(w http.ResponseWriter, r *http.Request, what asked, find func() (order, error)) error {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // package listen has checked the Origin
	})
	if err != nil {
		return nil // Accept has answered
	}
	conn.SetReadLimit(execMessage)
	// A read that is given up closes the connection, so this ends only after the
	// last message.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &execSession{conn: conn, asked: what}
	code, err := s.run(ctx, cancel, a, find)
	if auth.WrongSecret(err) {
		a.guesses.hold(r)
	}
	if err != nil {
		status := websocket.StatusPolicyViolation
		if api.Status(err) == http.StatusInternalServerError {
			status = websocket.StatusInternalError
		}
		reason := err.Error()
		_ = conn.Close(status, reason[:min(len(reason), closeReason)])
		return nil
	}
	_ = s.send(&api.ExecOutput{Exited: true, Result: &api.ExecExit{ExitCode: code}})
	_ = conn.Close(websocket.StatusNormalClosure, "")
	return nil
}

type execSession struct {
	asked
	conn *websocket.Conn
	ctx  context.Context
	mu   sync.Mutex // one message at a time
}

// run runs the command; cancel ends its context when the client goes away.
func (s *execSession) run(ctx context.Context, cancel context.CancelFunc, a *API, find func() (order, error)) (int, error) {
	if s.handshake {
		var hello api.ExecHandshake
		if err := wsjson.Read(ctx, s.conn, &hello); err != nil {
			return 0, api.Errorf(api.ErrInvalid, "handshake: %v", err)
		}
		if hello.Version != 1 {
			return 0, api.Errorf(api.ErrInvalid, "handshake: version %d is not known, send 1", hello.Version)
		}
		if hello.AuthToken != "" {
			ctx = auth.WithSecret(ctx, api.Sensitive(hello.AuthToken))
		}
		err := a.permit(ctx, s.op, s.req)
		if unwritten := audit.Session(ctx, auth.SecretOf(ctx), err); err == nil {
			err = unwritten
		}
		if err != nil {
			return 0, err
		}
		var done context.CancelFunc
		ctx, done = a.guarded(ctx, s.op, s.req)
		defer done()
	}
	o, err := find()
	if err != nil {
		return 0, err
	}
	if err := a.permitUnconfined(ctx, s, o); err != nil {
		return 0, err
	}
	s.ctx = ctx
	stdin, stdinWriter := io.Pipe()
	resize := make(chan drivers.TerminalSize, 1)
	go s.read(ctx, cancel, stdinWriter, resize) // ends with the connection
	code, err := a.Client.Exec(ctx, client.ExecRequest{
		AllocID: o.alloc, Task: o.task, Command: o.command, TTY: s.tty,
		Stdin: stdin, Stdout: s.writer(true), Stderr: s.writer(false), Resize: resize,
	})
	_ = stdin.Close()
	if refused := refusal(ctx); refused != nil {
		return code, refused
	}
	if err == nil {
		err = s.closeStreams(s.tty)
	}
	return code, err
}

// permitUnconfined refuses to run something among the files of the node for a
// token that may only do so inside of tasks.
func (a *API) permitUnconfined(ctx context.Context, s *execSession, o order) error {
	if a.Auth == nil || !a.Client.Unconfined(ctx, o.alloc, o.task) {
		return nil
	}
	token, err := a.Auth.Authorize(ctx, s.op, s.req)
	if err != nil {
		return err
	}
	namespace, _ := a.Client.Namespace(o.alloc)
	if token.ACL.Namespace(namespace, "alloc-node-exec") {
		return nil
	}
	return auth.Denied("`alloc-node-exec` in namespace `" + namespace + "`, because the driver of the task isolates it from no files of the node")
}

// read takes the client's messages until the session ends. A client that goes
// away takes its command with it.
func (s *execSession) read(ctx context.Context, cancel context.CancelFunc, stdin *io.PipeWriter, resize chan drivers.TerminalSize) {
	defer stdin.Close()
	for {
		var in api.ExecInput
		if err := wsjson.Read(ctx, s.conn, &in); err != nil {
			if ctx.Err() == nil {
				cancel()
			}
			return
		}
		if in.TTYSize != nil {
			size := drivers.TerminalSize{Height: in.TTYSize.Height, Width: in.TTYSize.Width}
			select { // only the newest size counts
			case <-resize:
			default:
			}
			select {
			case resize <- size:
			default:
			}
		}
		if in.Stdin == nil {
			continue
		}
		if len(in.Stdin.Data) > 0 {
			if _, err := stdin.Write(in.Stdin.Data); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				return
			}
		}
		if in.Stdin.Close {
			_ = stdin.Close()
		}
	}
}

func (s *execSession) send(m *api.ExecOutput) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := s.ctx
	if ctx == nil || ctx.Err() != nil {
		ctx = context.Background()
	}
	return wsjson.Write(ctx, s.conn, m)
}

// closeStreams tells the client that no more output comes.
func (s *execSession) closeStreams(tty bool) error {
	if err := s.send(&api.ExecOutput{Stdout: &api.ExecIO{Close: true}}); err != nil || tty {
		return err
	}
	return s.send(&api.ExecOutput{Stderr: &api.ExecIO{Close: true}})
}

func (s *execSession) writer(stdout bool) io.Writer { return &execWriter{s, stdout} }

// execWriter sends what is written as messages of one stream.
type execWriter struct {
	session *execSession
	stdout  bool
}

func (w *execWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), execFrame)
		message := &api.ExecOutput{Stdout: &api.ExecIO{Data: p[:n]}}
		if !w.stdout {
			message = &api.ExecOutput{Stderr: &api.ExecIO{Data: p[:n]}}
		}
		if err := w.session.send(message); err != nil {
			return written, err
		}
		written += n
		p = p[n:]
	}
	return written, nil
}
