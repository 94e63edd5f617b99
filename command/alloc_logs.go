package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// defaultTailLines is how much -tail shows when neither -n nor -c is given.
const defaultTailLines = 10

// bytesPerLine is the first guess of how long a line is, to read the end of a file.
const bytesPerLine = 120

// tail says which end of a file or log is shown, and whether it is followed.
type tail struct {
	follow, end  bool
	lines, bytes int64
}

func (t *tail) define(f *cli.Flags) {
	t.lines, t.bytes = -1, -1
	f.Bool(&t.follow, "f", "Keep showing what is added, until Ctrl-C.")
	f.Bool(&t.end, "tail", "Show the end only: the last 10 lines, or what -n or -c says.")
	f.Int64(&t.lines, "n", "<lines>", "How many lines of the end are shown.")
	f.Int64(&t.bytes, "c", "<bytes>", "How many bytes of the end are shown.")
}

// fromEnd says whether only the end is wanted.
func (t *tail) fromEnd() bool { return t.end || t.lines >= 0 || t.bytes >= 0 }

// stream opens a text from an origin ("start" or "end") at an offset.
type stream func(ctx context.Context, follow bool, origin string, offset int64) (io.ReadCloser, error)

// copy writes what is asked for of a stream.
func (t *tail) copy(ctx context.Context, w io.Writer, open stream) error {
	if !t.fromEnd() {
		return pipe(ctx, w, open, t.follow, "start", 0)
	}
	if t.bytes >= 0 {
		return pipe(ctx, w, open, t.follow, "end", t.bytes)
	}
	lines := t.lines
	if lines < 0 {
		lines = defaultTailLines
	}
	text, err := lastLines(ctx, open, lines)
	if err != nil {
		return err
	}
	if t.follow {
		return pipe(ctx, w, open, true, "end", int64(len(text)))
	}
	_, err = w.Write(text)
	return err
}

func pipe(ctx context.Context, w io.Writer, open stream, follow bool, origin string, offset int64) error {
	body, err := open(ctx, follow, origin, offset)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	if ctx.Err() != nil {
		return nil // Ctrl-C is how following ends
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the agent ended the stream")
	}
	return err
}

// lastLines reads the last n lines: a guess at first, more when it was too little.
func lastLines(ctx context.Context, open stream, n int64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	for guess := n * bytesPerLine; ; guess *= 8 {
		body, err := open(ctx, false, "end", guess)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			return nil, err
		}
		if tail, enough := cutLines(text, n); enough || int64(len(text)) < guess || guess > 1<<40 {
			return tail, nil
		}
	}
}

// cutLines gives the last n lines of a text, and whether there are so many.
func cutLines(text []byte, n int64) ([]byte, bool) {
	end := len(text)
	if end > 0 && text[end-1] == '\n' {
		end--
	}
	for i := end - 1; i >= 0; i-- {
		if text[i] == '\n' {
			if n--; n == 0 {
				return text[i+1:], true
			}
		}
	}
	return text, false
}

func allocLogs() *cli.Command {
	var (
		pick                    choice
		end                     tail
		stderr, stdout, verbose bool
	)
	return &cli.Command{
		Name: "logs", Synopsis: "Show what a task writes", Usage: "[options] <allocation> [<task>]", Min: 1, Max: 2,
		Help: `Shows the standard output of a task, or with -stderr its error output. With -f and neither -stdout nor -stderr both are followed.`,
		Define: func(f *cli.Flags) {
			f.Bool(&stdout, "stdout", "Show the standard output.")
			f.Bool(&stderr, "stderr", "Show the error output.")
			end.define(f)
			pick.define(f)
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if len(inv.Args) == 2 {
				if pick.task != "" {
					return cli.Usagef("the task is named twice")
				}
				pick.task = inv.Args[1]
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			a, err := pick.allocation(ctx, s, inv.Args[0])
			if err != nil {
				return err
			}
			task, err := pickTask(a, pick.task)
			if err != nil {
				return err
			}
			if end.follow && stdout == stderr {
				return s.bothLogs(ctx, a, task, &end)
			}
			if stdout && stderr {
				if err := end.copy(ctx, inv.Stdout, s.logs(a, task, "stdout")); err != nil {
					return err
				}
			}
			if stderr {
				return end.copy(ctx, inv.Stdout, s.logs(a, task, "stderr"))
			}
			return end.copy(ctx, inv.Stdout, s.logs(a, task, "stdout"))
		},
	}
}

// logs opens a task's log.
func (s *session) logs(a *api.Allocation, task, kind string) stream {
	return func(ctx context.Context, follow bool, origin string, offset int64) (io.ReadCloser, error) {
		body, _, err := api.Open(ctx, s.client, api.FSLogs, &api.FSLogsRequest{
			ID: a.ID, Task: task, Type: kind, Follow: follow, Origin: origin, Offset: offset, Plain: true,
		})
		if err != nil {
			return nil, fmt.Errorf("%s of task %q: %w", kind, task, err)
		}
		return body, nil
	}
}

// bothLogs follows both outputs of a task, whole lines at a time, each to its own stream.
func (s *session) bothLogs(ctx context.Context, a *api.Allocation, task string, end *tail) error {
	var mu sync.Mutex
	errs := make(chan error, 2)
	for kind, w := range map[string]io.Writer{"stdout": s.Stdout, "stderr": s.Stderr} {
		go func() { errs <- end.copy(ctx, &lineWriter{w: w, mu: &mu}, s.logs(a, task, kind)) }()
	}
	return errors.Join(<-errs, <-errs)
}

// lineWriter hands whole lines on, so that two streams do not mix within a line.
type lineWriter struct {
	w    io.Writer
	mu   *sync.Mutex
	rest []byte
}

// maxLine is how much of a line is held back at most.
const maxLine = 64 << 10

func (l *lineWriter) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	cut := bytes.LastIndexByte(l.rest, '\n') + 1
	if cut == 0 && len(l.rest) < maxLine {
		return len(p), nil
	}
	if cut == 0 {
		cut = len(l.rest)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(l.rest[:cut]); err != nil {
		return 0, err
	}
	l.rest = append(l.rest[:0], l.rest[cut:]...)
	return len(p), nil
}
