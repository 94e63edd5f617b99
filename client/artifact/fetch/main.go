package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/client/artifact/confine"
)

// Mode is the hidden argument that makes this program a child that fetches.
const Mode = "artifact-fetch"

// The two lives of a child: before and after it is confined.
const (
	first  = "enter"
	second = "work"
)

// maxOrder bounds an order, which carries the keys and headers of a job.
const maxOrder = 4 << 20

// Args gives the arguments of a child that is to be confined so.
func Args(spec confine.Spec) ([]string, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return []string{Mode, first, string(text)}, nil
}

// Main runs this process as a child when args (as os.Args) ask for that; it does
// not return then.
func Main(args []string) {
	if len(args) < 3 || args[1] != Mode {
		return
	}
	// The kernel's own exit: there is nothing to tidy up, and the race detector's
	// would take a second.
	switch args[2] {
	case first:
		unix.Exit(enter(args))
	case second:
		unix.Exit(work())
	}
}

// enter confines the process; its next life is the same program.
func enter(args []string) int {
	var spec confine.Spec
	if len(args) != 4 || json.Unmarshal([]byte(args[3]), &spec) != nil {
		fmt.Fprintln(os.Stderr, "this mode is for the agent's own use")
		return 2
	}
	err := confine.Enter(spec, []string{args[0], Mode, second}, os.Environ())
	text := "the child process could not be confined: " + err.Error()
	if errors.Is(err, confine.ErrNoLandlock) {
		text += ": run the agent as root, or set client.artifact.disable_filesystem_isolation"
	}
	answer(Answer{Err: text})
	return 1
}

// work reads the order and carries it out.
func work() int {
	var order Order
	in := json.NewDecoder(io.LimitReader(os.Stdin, maxOrder))
	if err := in.Decode(&order); err != nil {
		fmt.Fprintln(os.Stderr, "read the order:", err)
		return 2
	}
	unix.Umask(0o022)
	// The parent holds its end open for as long as it wants an answer.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		unix.Exit(3)
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if order.Limits.Time > 0 {
		ctx, cancel = context.WithTimeout(ctx, order.Limits.Time)
		defer cancel()
	}
	out, err := order.run(ctx)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, errStalled) {
			err = ctx.Err()
		}
		out = answerTo(err, order.Limits)
	}
	answer(out)
	return 0
}

func answer(a Answer) { _ = json.NewEncoder(os.Stdout).Encode(a) }

// run carries an order out in the present directory.
func (o *Order) run(ctx context.Context) (Answer, error) {
	for _, dir := range []string{ResultDir, tempDir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return Answer{}, err
		}
	}
	f := &fetcher{Order: o, left: o.Limits.Bytes, began: time.Now()}
	var err error
	switch o.Kind {
	case HTTP:
		err = f.http(ctx)
	case S3:
		err = f.s3(ctx)
	case Git:
		err = f.git(ctx)
	case Local:
		err = f.local(ctx)
	default:
		err = invalid("there is no way to fetch %q", o.Kind)
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{File: f.single, Bytes: f.bytes}, nil
}

// fetcher is an order that is being carried out.
type fetcher struct {
	*Order
	began  time.Time
	bytes  int64  // downloaded so far
	left   int64  // that may be; unless there is no limit
	single string // the file that is all of the result
}
