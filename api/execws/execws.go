// Package execws is the caller's side of an exec session: it runs a command in
// a task over a WebSocket and joins it to the caller's streams.
package execws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/seraihq/serai/api"
)

const (
	// heartbeat keeps proxies from closing a quiet session.
	heartbeat = 10 * time.Second
	// chunk is the most input that one message carries.
	chunk = 32 << 10
	// maxMessage bounds what is taken from the agent at once.
	maxMessage = 4 << 20
)

// Request is what to run where.
type Request struct {
	AllocID   string
	Task      string // the allocation's only one when empty
	Command   []string
	TTY       bool
	Namespace string
	Stdin     io.Reader // nil: empty
	Stdout    io.Writer
	Stderr    io.Writer
	Resize    <-chan api.TerminalSize // nil: the size never changes
}

// Run runs the command and returns its exit code. It returns when the command
// has ended, or ctx ends. A goroutine that reads Stdin may outlive the call
// until its Read returns.
func Run(ctx context.Context, c *api.Client, req Request) (int, error) {
	command, err := json.Marshal(req.Command)
	if err != nil {
		return 0, err
	}
	ask := &api.AllocExecRequest{ID: req.AllocID, Task: req.Task, Command: string(command), TTY: req.TTY, WSHandshake: true}
	ask.Namespace = req.Namespace
	hr, err := c.NewRequest(ctx, api.AllocExec.Endpoint, ask)
	if err != nil {
		return 0, err
	}
	conn, resp, err := websocket.Dial(ctx, hr.URL.String(), &websocket.DialOptions{HTTPClient: c.HTTPClient(), HTTPHeader: hr.Header})
	if err != nil {
		return 0, dialError(c, resp, err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxMessage)
	hello := &api.ExecHandshake{Version: 1, AuthToken: c.Config().Token.Reveal()}
	if err := wsjson.Write(ctx, conn, hello); err != nil {
		return 0, fmt.Errorf("exec: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go sendInput(ctx, conn, req)
	return receive(ctx, conn, req)
}

func dialError(c *api.Client, resp *http.Response, err error) error {
	if resp == nil {
		return fmt.Errorf("%w: no agent answers at %s: %w", api.ErrUnavailable, c.Config().Address, err)
	}
	text := err.Error()
	if resp.Body != nil {
		if body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)); len(body) > 0 {
			text = string(body)
		}
	}
	return &api.ResponseError{Op: "Alloc.Exec", Status: resp.StatusCode, Text: text}
}

// receive writes the command's output until it has ended.
func receive(ctx context.Context, conn *websocket.Conn, req Request) (int, error) {
	for {
		var out api.ExecOutput
		if err := wsjson.Read(ctx, conn, &out); err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) && closed.Reason != "" {
				return 0, fmt.Errorf("exec: %s", closed.Reason)
			}
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return 0, fmt.Errorf("exec: the session broke off before the command ended: %w", err)
		}
		if err := emit(req.Stdout, out.Stdout); err != nil {
			return 0, err
		}
		if err := emit(req.Stderr, out.Stderr); err != nil {
			return 0, err
		}
		if out.Exited && out.Result != nil {
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return out.Result.ExitCode, nil
		}
	}
}

func emit(w io.Writer, part *api.ExecIO) error {
	if w == nil || part == nil || len(part.Data) == 0 {
		return nil
	}
	_, err := w.Write(part.Data)
	return err
}

// sendInput sends what is typed, the terminal's sizes and heartbeats.
func sendInput(ctx context.Context, conn *websocket.Conn, req Request) {
	input := make(chan []byte)
	go readInput(ctx, req.Stdin, input)
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		var message api.ExecInput
		select {
		case <-ctx.Done():
			return
		case data, more := <-input:
			message.Stdin = &api.ExecIO{Data: data, Close: !more}
			if !more {
				input = nil
			}
		case size, more := <-req.Resize:
			if !more {
				req.Resize = nil
				continue
			}
			message.TTYSize = &size
		case <-ticker.C:
		}
		if wsjson.Write(ctx, conn, &message) != nil {
			return // receive sees why
		}
	}
}

func readInput(ctx context.Context, stdin io.Reader, input chan<- []byte) {
	defer close(input)
	if stdin == nil {
		return
	}
	for {
		buf := make([]byte, chunk)
		n, err := stdin.Read(buf)
		if n > 0 {
			select {
			case input <- buf[:n]:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}
