package render

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a render.
const (
	MaxOutput = 16 << 20
	MaxFile   = 4 << 20 // of each file that a template reads
	maxFiles  = 64      // that one render may ask for
	maxTime   = 10 * time.Second
)

const (
	// workerStack bounds recursion.
	workerStack = 64 << 20
)

// command is the first argument of the binary as a worker.
const command = "template-worker"

// Files of a worker: the pipe that requests come on, and that of answers.
// Standard output is not it: the language has functions that print.
const (
	requestsFD = 0
	answersFD  = 3
)

// Main runs this process as a worker when args (as os.Args) are those of one:
// <binary> template-worker. It then returns true when the agent has closed the
// pipe.
func Main(args []string) (handled bool) {
	if len(args) != 2 || args[1] != command {
		return false
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func work() error {
	if err := limit(); err != nil {
		return err
	}
	// The runtime makes its poller with the first timer; afterwards it may not.
	go endWithAgent(os.Getppid(), time.NewTicker(time.Second))
	if err := confine(); err != nil {
		return err
	}
	in := bufio.NewReader(os.NewFile(requestsFD, "requests"))
	out := os.NewFile(answersFD, "answers")
	for {
		var req request
		err := receive(in, &req)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(out, serve(&req, in, out)); err != nil {
			return err
		}
	}
}

// endWithAgent ends a worker whose agent is gone, also in the middle of a render
// that nobody would end otherwise.
func endWithAgent(agent int, tick *time.Ticker) {
	for range tick.C {
		if os.Getppid() != agent {
			os.Exit(1)
		}
	}
}

// limit bounds what this process may take, and offers it first when the machine
// is out of memory.
func limit() error {
	for what, n := range map[int]uint64{unix.RLIMIT_DATA: workerData, unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
	}
	debug.SetMaxStack(workerStack)
	// Where /proc is read-only this is not to be had.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	return nil
}

// serve does one render. Files are asked for over the same pipes.
func serve(req *request, in io.Reader, out io.Writer) *answer {
	known := map[string]string{}
	fetch := func(path string) (string, error) {
		if data, ok := known[path]; ok {
			return data, nil
		}
		if len(known) == maxFiles {
			return "", fmt.Errorf("more than %d files are read", maxFiles)
		}
		if err := send(out, &answer{File: path}); err != nil {
			return "", err
		}
		var c contents
		if err := receive(in, &c); err != nil {
			return "", err
		}
		if c.Err != "" {
			return "", errors.New(c.Err)
		}
		known[path] = string(c.Data)
		return known[path], nil
	}
	output, err := safely(func() ([]byte, error) { return execute(req, fetch) })
	if err != nil {
		return &answer{Err: err.Error()}
	}
	return &answer{Output: output}
}

// safely turns a panic of a function of the language into an error.
func safely(fn func() ([]byte, error)) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a function panicked: %v", p)
		}
	}()
	return fn()
}
