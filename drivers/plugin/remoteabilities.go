package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// Signal implements drivers.Signaler.
func (r *remote) Signal(ctx context.Context, id, signal string) error {
	_, err := r.driver.SignalTask(ctx, &driver.SignalTaskRequest{TaskId: id, Signal: signal})
	return r.fail(ctx, err)
}

// Stats implements drivers.Stater.
func (r *remote) Stats(ctx context.Context, id string, interval time.Duration) (<-chan drivers.ResourceUsage, error) {
	stream, err := r.driver.TaskStats(ctx, &driver.TaskStatsRequest{TaskId: id, CollectionInterval: durationpb.New(interval)})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return follow(ctx, stream.Recv, func(m *driver.TaskStatsResponse, err error) drivers.ResourceUsage {
		if err != nil {
			return drivers.ResourceUsage{Err: r.fail(ctx, err)}
		}
		return usageFromWire(m)
	}), nil
}

// Events implements drivers.EventSource.
func (r *remote) Events(ctx context.Context) (<-chan drivers.TaskEvent, error) {
	stream, err := r.driver.TaskEvents(ctx, &driver.TaskEventsRequest{})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return follow(ctx, stream.Recv, func(m *driver.DriverTaskEvent, err error) drivers.TaskEvent {
		if err != nil {
			return drivers.TaskEvent{Err: r.fail(ctx, err)}
		}
		return eventFromWire(m)
	}), nil
}

// CreateNetwork implements drivers.Networker.
func (r *remote) CreateNetwork(ctx context.Context, allocID, hostname string) (*drivers.NetworkIsolation, bool, error) {
	resp, err := r.driver.CreateNetwork(ctx, &driver.CreateNetworkRequest{AllocId: allocID, Hostname: hostname})
	if err != nil {
		return nil, false, r.fail(ctx, err)
	}
	return isolationFromWire(resp.GetIsolationSpec()), resp.GetCreated(), nil
}

// DestroyNetwork implements drivers.Networker.
func (r *remote) DestroyNetwork(ctx context.Context, allocID string, spec *drivers.NetworkIsolation) error {
	_, err := r.driver.DestroyNetwork(ctx, &driver.DestroyNetworkRequest{AllocId: allocID, IsolationSpec: isolationToWire(spec)})
	return r.fail(ctx, err)
}

// Exec implements drivers.Execer. A driver without streaming exec is asked the older way, which knows neither terminal nor input.
func (r *remote) Exec(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.streamsExec(ctx) {
		return r.execStreaming(ctx, id, req)
	}
	if req.TTY {
		return drivers.ExitResult{}, fmt.Errorf("driver %q: exec with a terminal: %w", r.info.Name, drivers.ErrUnsupported)
	}
	if err := r.endOfInput(ctx, req.Stdin); err != nil {
		return drivers.ExitResult{}, err
	}
	return r.execPlain(ctx, id, req)
}

// streamsExec asks once whether the driver has streaming exec, with a task that cannot be: a driver that has it says so.
func (r *remote) streamsExec(ctx context.Context) bool {
	switch r.streams.Load() {
	case streamsYes:
		return true
	case streamsNo:
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := r.driver.ExecTaskStreaming(ctx)
	if err == nil {
		setup := &driver.ExecTaskStreamingRequest_Setup{Command: []string{"true"}}
		if err = stream.Send(&driver.ExecTaskStreamingRequest{Setup: setup}); err == nil || errors.Is(err, io.EOF) {
			_, err = stream.Recv()
		}
	}
	switch err := r.fail(ctx, err); {
	case errors.Is(err, drivers.ErrUnsupported):
		r.streams.Store(streamsNo)
		return false
	case !errors.Is(err, drivers.ErrUnavailable) && ctx.Err() == nil:
		r.streams.Store(streamsYes)
	}
	return true
}

// What is known of a driver's streaming exec; 0 is nothing.
const (
	streamsYes = 1
	streamsNo  = 2
)

// endOfInput waits for the end of an input that cannot be passed on, and refuses one with anything in it.
func (r *remote) endOfInput(ctx context.Context, from io.Reader) error {
	input := make(chan []byte)
	go readInput(ctx, from, input)
	select {
	case data := <-input:
		if len(data) > 0 {
			return fmt.Errorf("driver %q: exec with input: %w", r.info.Name, drivers.ErrUnsupported)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// execLimit is how long a command may run that is run without streaming.
const execLimit = 24 * time.Hour

func (r *remote) execPlain(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	// A call without a time limit is refused by drivers of this protocol.
	limit := execLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = time.Until(deadline)
	}
	call := &driver.ExecTaskRequest{TaskId: id, Command: req.Command, Timeout: durationpb.New(limit)}
	resp, err := r.driver.ExecTask(ctx, call)
	if err != nil {
		return drivers.ExitResult{}, r.fail(ctx, err)
	}
	if err := errors.Join(writeTo(req.Stdout, resp.GetStdout()), writeTo(req.Stderr, resp.GetStderr())); err != nil {
		return drivers.ExitResult{}, fmt.Errorf("exec: %w", err)
	}
	return exitFromWire(resp.GetResult()), nil
}

func writeTo(w io.Writer, data []byte) error {
	if w == nil || len(data) == 0 {
		return nil
	}
	_, err := w.Write(data)
	return err
}

func (r *remote) execStreaming(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	stream, err := r.driver.ExecTaskStreaming(ctx)
	if err != nil {
		return drivers.ExitResult{}, r.fail(ctx, err)
	}
	setup := &driver.ExecTaskStreamingRequest_Setup{TaskId: id, Command: req.Command, Tty: req.TTY}
	if err := stream.Send(&driver.ExecTaskStreamingRequest{Setup: setup}); err != nil && !errors.Is(err, io.EOF) {
		return drivers.ExitResult{}, r.fail(ctx, err)
	}
	go sendExec(ctx, stream, req)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return drivers.ExitResult{}, errors.New("exec: the driver ended the stream without a result")
		}
		if err != nil {
			return drivers.ExitResult{}, r.fail(ctx, err)
		}
		if err := errors.Join(writeTo(req.Stdout, m.GetStdout().GetData()), writeTo(req.Stderr, m.GetStderr().GetData())); err != nil {
			return drivers.ExitResult{}, fmt.Errorf("exec: %w", err)
		}
		if m.GetExited() {
			return exitFromWire(m.GetResult()), nil
		}
	}
}

// sendExec sends input and sizes until ctx ends. A Read of Stdin that blocks is left behind with a goroutine of its own: it ends with the
// caller's input.
func sendExec(ctx context.Context, stream driver.Driver_ExecTaskStreamingClient, req drivers.ExecRequest) {
	input := make(chan []byte)
	go readInput(ctx, req.Stdin, input)
	resize := req.Resize
	for {
		var m driver.ExecTaskStreamingRequest
		select {
		case <-ctx.Done():
			return
		case size, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			m.TtySize = &driver.ExecTaskStreamingRequest_TerminalSize{Height: int32(size.Height), Width: int32(size.Width)}
		case data, ok := <-input:
			if !ok {
				input = nil
				m.Stdin = &driver.ExecTaskStreamingIOOperation{Close: true}
				break
			}
			m.Stdin = &driver.ExecTaskStreamingIOOperation{Data: data}
		}
		if stream.Send(&m) != nil {
			return
		}
	}
}

func readInput(ctx context.Context, from io.Reader, to chan<- []byte) {
	defer close(to)
	if from == nil {
		return
	}
	for {
		buf := make([]byte, 4<<10)
		n, err := from.Read(buf)
		if n > 0 {
			select {
			case to <- buf[:n]:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}
