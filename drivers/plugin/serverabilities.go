package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

func (s *server) unsupported(what string) error {
	return toStatus(fmt.Errorf("driver %q: %s: %w", s.impl.Info().Name, what, drivers.ErrUnsupported))
}

func (s *server) TaskStats(req *driver.TaskStatsRequest, stream driver.Driver_TaskStatsServer) error {
	d, ok := drivers.StaterOf(s.impl)
	if !ok {
		return s.unsupported("stats")
	}
	ch, err := d.Stats(stream.Context(), req.GetTaskId(), req.GetCollectionInterval().AsDuration())
	if err != nil {
		return toStatus(err)
	}
	for u := range ch {
		if u.Err != nil {
			return toStatus(u.Err)
		}
		if err := stream.Send(usageToWire(req.GetTaskId(), u)); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) TaskEvents(_ *driver.TaskEventsRequest, stream driver.Driver_TaskEventsServer) error {
	d, ok := drivers.EventSourceOf(s.impl)
	if !ok {
		<-stream.Context().Done() // a driver without events is one that has none to tell
		return nil
	}
	ch, err := d.Events(stream.Context())
	if err != nil {
		return toStatus(err)
	}
	for e := range ch {
		if e.Err != nil {
			return toStatus(e.Err)
		}
		if err := stream.Send(eventToWire(e)); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) SignalTask(ctx context.Context, req *driver.SignalTaskRequest) (*driver.SignalTaskResponse, error) {
	d, ok := drivers.SignalerOf(s.impl)
	if !ok {
		return nil, s.unsupported("signals")
	}
	return &driver.SignalTaskResponse{}, toStatus(d.Signal(ctx, req.GetTaskId(), req.GetSignal()))
}

func (s *server) CreateNetwork(ctx context.Context, req *driver.CreateNetworkRequest) (*driver.CreateNetworkResponse, error) {
	d, ok := drivers.NetworkerOf(s.impl)
	if !ok {
		return nil, s.unsupported("networks")
	}
	spec, created, err := d.CreateNetwork(ctx, req.GetAllocId(), req.GetHostname())
	if err != nil {
		return nil, toStatus(err)
	}
	return &driver.CreateNetworkResponse{IsolationSpec: isolationToWire(spec), Created: created}, nil
}

func (s *server) DestroyNetwork(ctx context.Context, req *driver.DestroyNetworkRequest) (*driver.DestroyNetworkResponse, error) {
	d, ok := drivers.NetworkerOf(s.impl)
	if !ok {
		return nil, s.unsupported("networks")
	}
	return &driver.DestroyNetworkResponse{}, toStatus(d.DestroyNetwork(ctx, req.GetAllocId(), isolationFromWire(req.GetIsolationSpec())))
}

// execOutputLimit is how much of each output a call that does not stream can bring back.
const execOutputLimit = 1 << 20

func (s *server) ExecTask(ctx context.Context, req *driver.ExecTaskRequest) (*driver.ExecTaskResponse, error) {
	d, ok := drivers.ExecerOf(s.impl)
	if !ok {
		return nil, s.unsupported("exec")
	}
	if t := req.GetTimeout().AsDuration(); t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	stdout, stderr := &cappedBuffer{}, &cappedBuffer{}
	r, err := d.Exec(ctx, req.GetTaskId(), drivers.ExecRequest{Command: req.GetCommand(), Stdout: stdout, Stderr: stderr})
	if err != nil {
		return nil, toStatus(err)
	}
	return &driver.ExecTaskResponse{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Result: exitToWire(r)}, nil
}

// cappedBuffer keeps the first execOutputLimit bytes and swallows the rest.
type cappedBuffer struct{ bytes.Buffer }

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if room := execOutputLimit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (s *server) ExecTaskStreaming(stream driver.Driver_ExecTaskStreamingServer) error {
	d, ok := drivers.ExecerOf(s.impl)
	if !ok {
		return s.unsupported("exec")
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	setup := first.GetSetup()
	if setup == nil {
		return toStatus(errors.New("exec: the first message must be the setup"))
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	stdin, feed := io.Pipe()
	defer stdin.Close()
	resize := make(chan drivers.TerminalSize, 8)
	go func() { // ends with the stream, which ends with this call
		feed.CloseWithError(receiveExec(ctx, stream, feed, resize))
	}()
	out := &execSender{stream: stream}
	r, err := d.Exec(ctx, setup.GetTaskId(), drivers.ExecRequest{
		Command: setup.GetCommand(), TTY: setup.GetTty(), Stdin: stdin, Resize: resize,
		Stdout: execStream{out, false}, Stderr: execStream{out, true},
	})
	if err != nil {
		return toStatus(err)
	}
	return out.finish(r)
}

// receiveExec feeds the command with what comes from the other side until that ends its input.
func receiveExec(ctx context.Context, stream driver.Driver_ExecTaskStreamingServer, feed io.WriteCloser, resize chan<- drivers.TerminalSize) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return io.EOF
		}
		if size := m.GetTtySize(); size != nil {
			select {
			case resize <- drivers.TerminalSize{Height: int(size.GetHeight()), Width: int(size.GetWidth())}:
			case <-ctx.Done():
				return io.EOF
			}
		}
		in := m.GetStdin()
		if len(in.GetData()) > 0 {
			if _, err := feed.Write(in.GetData()); err != nil {
				feed = discard{} // the command reads no more; sizes may still come
			}
		}
		if in.GetClose() {
			_ = feed.Close()
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

// execSender serialises what goes back: a gRPC stream takes one sender at a time.
type execSender struct {
	mu     sync.Mutex
	stream driver.Driver_ExecTaskStreamingServer
}

func (s *execSender) send(m *driver.ExecTaskStreamingResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream.Send(m)
}

func (s *execSender) finish(r drivers.ExitResult) error {
	for _, m := range []*driver.ExecTaskStreamingResponse{
		{Stdout: &driver.ExecTaskStreamingIOOperation{Close: true}},
		{Stderr: &driver.ExecTaskStreamingIOOperation{Close: true}},
		{Exited: true, Result: exitToWire(r)},
	} {
		if err := s.send(m); err != nil {
			return err
		}
	}
	return nil
}

// execStream is one output of a command as a writer.
type execStream struct {
	to     *execSender
	stderr bool
}

func (s execStream) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), 32<<10)
		op := &driver.ExecTaskStreamingIOOperation{Data: bytes.Clone(rest[:n])}
		m := &driver.ExecTaskStreamingResponse{Stdout: op}
		if s.stderr {
			m = &driver.ExecTaskStreamingResponse{Stderr: op}
		}
		if err := s.to.send(m); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[n:]
	}
	return len(p), nil
}
