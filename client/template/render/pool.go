package render

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// idleFor is how long a worker without work is kept.
	idleFor = 5 * time.Second
	// maxRenders is how many renders a worker does: what they leave is its own.
	maxRenders = 200
	// maxError is how much of an error is kept.
	maxError = 2000
)

// Job is one render.
type Job struct {
	Text        []byte
	Left, Right string
	MissingKey  bool // a key that a map does not have is an error
	Env         map[string]string
	// File reads a file that the text asks for; its error becomes that of the
	// function.
	File func(path string) ([]byte, error)
}

// Pool renders in worker processes, a few at a time.
type Pool struct {
	// Denied are patterns of functions that do not work.
	denied  []string
	slots   chan struct{}
	maxTime time.Duration

	mu     sync.Mutex // guards what follows
	idle   []*worker  // the one that was used last at the end
	closed bool
	alive  sync.WaitGroup
}

// NewPool makes a pool. denied are names of functions that templates may not
// use; a star in one stands for any text.
func NewPool(denied []string) *Pool {
	return &Pool{denied: denied, slots: make(chan struct{}, min(4, max(2, runtime.NumCPU()))), maxTime: maxTime}
}

// Close ends the idle workers and waits until all have ended; no render may be
// under way or follow.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range idle {
		w.end()
	}
	p.alive.Wait()
}

// Render gives the output of a template. It waits for a free worker, and ends
// with ctx. An error says what the text did wrong, or which limit it met.
func (p *Pool) Render(ctx context.Context, job *Job) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	w, err := p.worker()
	if err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeout(ctx, p.maxTime)
	defer cancel()
	stop := context.AfterFunc(timed, w.kill)
	output, said, err := w.render(p.denied, job)
	if !stop() || err != nil {
		w.kill()
		<-w.dead
		return nil, w.reason(ctx, timed, err, p.maxTime)
	}
	p.giveBack(w)
	if said != "" {
		return nil, errors.New(said)
	}
	return output, nil
}

func (p *Pool) worker() (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		w := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if w.timer.Stop() && !w.isDead() {
			return w, nil
		}
		w.end()
	}
	if p.closed {
		return nil, errors.New("the agent is shutting down")
	}
	return p.start()
}

func (p *Pool) giveBack(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.renders++; p.closed || w.renders >= maxRenders {
		w.end()
		return
	}
	w.timer = time.AfterFunc(idleFor, func() { p.forget(w) })
	p.idle = append(p.idle, w)
}

// forget lets a worker end that was idle for long.
func (p *Pool) forget(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.idle {
		if p.idle[i] == w {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	w.end()
}

// worker is one process.
type worker struct {
	cmd     *exec.Cmd
	to      *os.File
	from    *os.File
	answers *bufio.Reader
	errors  *tail
	dead    chan struct{} // closed when the process is waited for
	renders int
	timer   *time.Timer // while idle
	ended   sync.Once
}

// start starts a worker. It has nothing of the agent's environment. Called with
// the lock: it takes a millisecond.
func (p *Pool) start() (*worker, error) {
	in, to, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start a template worker: %w", err)
	}
	defer in.Close()
	from, out, err := os.Pipe()
	if err != nil {
		to.Close()
		return nil, fmt.Errorf("start a template worker: %w", err)
	}
	defer out.Close()
	w := &worker{to: to, from: from, answers: bufio.NewReader(from), errors: &tail{}, dead: make(chan struct{})}
	w.cmd = &exec.Cmd{
		// The very program that runs, also when its file has been replaced.
		Path: "/proc/self/exe", Args: []string{"serai", command}, Dir: "/",
		Env:   append([]string{"GOMEMLIMIT=160MiB", "GOMAXPROCS=2", "GOTRACEBACK=none", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"}, workerEnv...),
		Stdin: in, Stderr: w.errors, ExtraFiles: []*os.File{out}, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := w.cmd.Start(); err != nil {
		to.Close()
		from.Close()
		return nil, fmt.Errorf("start a template worker: %w", err)
	}
	p.alive.Go(func() {
		_ = w.cmd.Wait()
		close(w.dead)
		w.end()
		w.from.Close()
	})
	return w, nil
}

func (w *worker) isDead() bool {
	select {
	case <-w.dead:
		return true
	default:
		return false
	}
}

// end tells the worker that there is no more work.
func (w *worker) end() { w.ended.Do(func() { w.to.Close() }) }

func (w *worker) kill() { _ = w.cmd.Process.Kill() }

// render does one render. said is what is wrong with the template; after err
// the worker is of no more use.
func (w *worker) render(denied []string, job *Job) (output []byte, said string, err error) {
	err = send(w.to, &request{Text: job.Text, Left: job.Left, Right: job.Right, MissingKey: job.MissingKey, Denied: denied, Env: job.Env})
	for files := 0; err == nil; files++ {
		var a answer
		if err := receive(w.answers, &a); err != nil {
			return nil, "", err
		}
		if a.File == "" {
			if len(a.Output) > MaxOutput {
				return nil, "", errors.New("the output is too large")
			}
			return a.Output, clip(a.Err), nil
		}
		if files >= maxFiles {
			return nil, "", errors.New("too many files are asked for")
		}
		err = send(w.to, w.file(job, a.File))
	}
	return nil, "", err
}

func (w *worker) file(job *Job, path string) *contents {
	data, err := job.File(path)
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("file %q is larger than the %d bytes that a template may read", path, MaxFile)
	}
	if err != nil {
		return &contents{Err: err.Error()}
	}
	return &contents{Data: data}
}

// reason says why a worker has died.
func (w *worker) reason(ctx, timed context.Context, err error, limit time.Duration) error {
	text := w.errors.String()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil:
		return fmt.Errorf("it takes longer than the %v that a template may, and was ended", limit)
	case strings.Contains(text, "out of memory"), strings.Contains(text, "cannot allocate memory"),
		strings.Contains(text, "pthread_create failed"):
		return fmt.Errorf("it needs more than the %d MiB of memory that a template may have, and was ended", workerData>>20)
	case strings.Contains(text, "stack overflow"), strings.Contains(text, "stack exceeds"):
		return errors.New("it calls itself too deeply, and was ended")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("the template worker ended (%v): %s", w.cmd.ProcessState, firstLine(text))
	}
	return fmt.Errorf("the template worker: %w", err)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func clip(s string) string {
	if len(s) > maxError {
		return strings.ToValidUTF8(s[:maxError], "") + "…"
	}
	return s
}

// tail keeps the beginning of what a worker says before it dies.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer; what is too much is dropped.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p[:min(len(p), max(0, maxError-t.buf.Len()))])
	return len(p), nil
}

// String gives what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
