package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/term"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func allocExec() *cli.Command {
	var pick choice
	flags := newSessionFlags()
	return &cli.Command{
		Name: "exec", Synopsis: "Run a command in a running task", Usage: "[options] <allocation> <command> [<argument>...]",
		Min: 2, Max: -1, StopAtArgument: true,
		Help: `Runs a command inside a task, with this terminal as its terminal. The exit code is the command's own. Flags after the allocation belong to the command.

On a terminal, a line that begins with "~." ends the session.`,
		Define: func(f *cli.Flags) {
			pick.define(f)
			flags.define(f)
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if err := flags.settle(inv); err != nil {
				return err
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			a, err := pick.allocation(ctx, s, inv.Args[0])
			if err != nil {
				return err
			}
			if pick.task, err = pickTask(a, pick.task); err != nil {
				return err
			}
			words, err := json.Marshal(inv.Args[1:])
			if err != nil {
				return err
			}
			e := flags.session(s)
			return e.run(ctx, api.AllocExec.Endpoint, &api.AllocExecRequest{ID: a.ID, Task: pick.task, Command: string(words), TTY: e.tty})
		},
	}
}

// sessionFlags say how a session is joined to our own streams.
type sessionFlags struct {
	stdin, tty bool
	escape     string
}

func newSessionFlags() *sessionFlags { return &sessionFlags{stdin: true, tty: true, escape: "~"} }

func (x *sessionFlags) define(f *cli.Flags) {
	f.Bool(&x.stdin, "i", "Hand standard input to the command. On by default; -i=false turns it off.")
	f.Bool(&x.tty, "t", "Give the command a terminal. On by default when standard input and output are terminals.")
	f.String(&x.escape, "e", "<character>", "Character that ends the session with a dot after it, at the start of a line; \"none\" for no such character.")
}

// settle finds what was left open, and refuses what does not go together.
func (x *sessionFlags) settle(inv *cli.Invocation) error {
	if !inv.Flags.Given("t") {
		x.tty = cli.IsTerminal(inv.Stdin) && cli.IsTerminal(inv.Stdout)
	}
	if x.tty && !x.stdin {
		return cli.Usagef("-t needs -i")
	}
	if x.escape != "none" && len(x.escape) > 1 {
		return cli.Usagef("-e takes one character or \"none\"")
	}
	return nil
}

func (x *sessionFlags) session(s *session) *execSession {
	e := &execSession{s: s, tty: x.tty, stdin: x.stdin}
	if x.tty && x.escape != "none" && x.escape != "" {
		e.escape = x.escape[0]
	}
	return e
}

// execSession is a command that runs in a task, joined to our own streams.
type execSession struct {
	s      *session
	tty    bool
	stdin  bool
	escape byte // 0 = none

	conn    *websocket.Conn
	writing sync.Mutex // guards writes to conn
}

// heartbeat keeps proxies from ending an idle session.
const heartbeat = 10 * time.Second

// maxFrame bounds a message from the agent.
const maxFrame = 8 << 20

// run makes the request of an operation that answers with a session.
func (e *execSession) run(ctx context.Context, op *api.Endpoint, req any) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := e.dial(ctx, op, req); err != nil {
		return err
	}
	defer e.conn.CloseNow()
	if e.tty {
		restore, err := rawTerminal(e.s.Stdin)
		if err != nil {
			return err
		}
		defer restore()
		stop := e.resizes(ctx)
		defer stop()
	} else {
		// An interrupt of ours ends the session; the agent ends the command.
		stop := context.AfterFunc(ctx, func() { e.conn.CloseNow() })
		defer stop()
	}
	ended := make(chan struct{})
	go e.input(ctx, ended)
	go e.heartbeats(ctx)
	code, err := e.output(ctx, ended)
	if err != nil {
		return err
	}
	return cli.ExitCode(code)
}

// dial opens the WebSocket of the operation.
func (e *execSession) dial(ctx context.Context, op *api.Endpoint, req any) error {
	r, err := e.s.client.NewRequest(ctx, op, req)
	if err != nil {
		return err
	}
	conn, resp, err := websocket.Dial(ctx, r.URL.String(), &websocket.DialOptions{HTTPClient: e.s.client.HTTPClient(), HTTPHeader: r.Header})
	if err != nil {
		return dialError(op, resp, err)
	}
	conn.SetReadLimit(maxFrame)
	e.conn = conn
	return nil
}

func dialError(op *api.Endpoint, resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return fmt.Errorf("%w: exec session: %w", api.ErrUnavailable, err)
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return &api.ResponseError{Op: op.Name, Status: resp.StatusCode, Text: strings.TrimSpace(string(text))}
}

func (e *execSession) send(ctx context.Context, in *api.ExecInput) error {
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	e.writing.Lock()
	defer e.writing.Unlock()
	return e.conn.Write(ctx, websocket.MessageText, data)
}

// input hands standard input on until it ends. ended is closed when the user
// asked for the end of the session.
func (e *execSession) input(ctx context.Context, ended chan struct{}) {
	if !e.stdin {
		_ = e.send(ctx, &api.ExecInput{Stdin: &api.ExecIO{Close: true}})
		return
	}
	escapes := &escapeFilter{character: e.escape}
	buf := make([]byte, 32<<10)
	for {
		n, err := e.s.Stdin.Read(buf)
		if n > 0 {
			data, quit := escapes.filter(buf[:n])
			if len(data) > 0 && e.send(ctx, &api.ExecInput{Stdin: &api.ExecIO{Data: data}}) != nil {
				return
			}
			if quit {
				close(ended)
				e.conn.CloseNow()
				return
			}
		}
		if err != nil {
			_ = e.send(ctx, &api.ExecInput{Stdin: &api.ExecIO{Close: true}})
			return
		}
	}
}

func (e *execSession) heartbeats(ctx context.Context) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if e.send(ctx, &api.ExecInput{}) != nil {
				return
			}
		}
	}
}

// output writes what the command writes until it has ended, and gives its exit code.
func (e *execSession) output(ctx context.Context, ended chan struct{}) (int, error) {
	for {
		_, data, err := e.conn.Read(ctx)
		if err != nil {
			select {
			case <-ended:
				return 0, nil
			default:
			}
			if ctx.Err() != nil {
				return 130, nil
			}
			var closed websocket.CloseError
			if errors.As(err, &closed) && closed.Reason != "" {
				return 0, fmt.Errorf("exec session: %s", closed.Reason)
			}
			return 0, fmt.Errorf("exec session: the connection ended: %w", err)
		}
		var out api.ExecOutput
		if err := json.Unmarshal(data, &out); err != nil {
			return 0, fmt.Errorf("exec session: message of the agent: %w", err)
		}
		if out.Stdout != nil {
			_, _ = e.s.Stdout.Write(out.Stdout.Data)
		}
		if out.Stderr != nil {
			_, _ = e.s.Stderr.Write(out.Stderr.Data)
		}
		if out.Exited {
			if out.Result == nil {
				return 0, errors.New("exec session: the agent did not tell how the command ended")
			}
			return out.Result.ExitCode, nil
		}
	}
}

// resizes tells the task the size of our terminal, now and when it changes.
func (e *execSession) resizes(ctx context.Context) (stop func()) {
	f, ok := e.s.Stdout.(*os.File)
	if !ok {
		return func() {}
	}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	changed <- syscall.SIGWINCH // the size at the start
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
				if width, height, err := term.GetSize(int(f.Fd())); err == nil {
					_ = e.send(ctx, &api.ExecInput{TTYSize: &api.TerminalSize{Height: height, Width: width}})
				}
			}
		}
	}()
	return func() { signal.Stop(changed) }
}

// rawTerminal hands keys on as they are typed.
func rawTerminal(stdin io.Reader) (restore func(), err error) {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}, nil
	}
	state, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return func() { _ = term.Restore(int(f.Fd()), state) }, nil
}

// escapeFilter finds the character that, with a dot after it, at the start of a
// line ends a session.
type escapeFilter struct {
	character byte
	inLine    bool // something else stands before in the line
	pending   bool // the character was typed and is held back
}

// filter gives what is to be handed on, and whether the session is to end.
func (f *escapeFilter) filter(in []byte) (out []byte, quit bool) {
	if f.character == 0 {
		return in, false
	}
	for _, c := range in {
		if f.pending {
			f.pending = false
			if c == '.' {
				return out, true
			}
			out = append(out, f.character)
			if c == f.character { // typed twice: once
				f.inLine = true
				continue
			}
		}
		if c == f.character && !f.inLine {
			f.pending = true
			f.inLine = true
			continue
		}
		f.inLine = c != '\r' && c != '\n'
		out = append(out, c)
	}
	return out, false
}
