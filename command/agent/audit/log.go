package audit

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
)

// Log is an audit log.
type Log struct {
	sink     io.Writer // takes a whole line with each call
	enforced bool
	filters  []Filter
	node     NodeMeta
	logger   *slog.Logger

	mu     sync.Mutex
	torn   bool      // the last line may be cut short
	failed int       // records that could not be written since it was last told
	told   time.Time // when that was
}

// New makes a log that writes lines to sink. Enforced: what cannot be written
// down is refused; else it is told to logger, once in a while.
func New(sink io.Writer, enforced bool, filters []Filter, node NodeMeta, logger *slog.Logger) *Log {
	return &Log{sink: sink, enforced: enforced, filters: filters, node: node, logger: logger.With("component", "audit")}
}

// tellEvery is how often it is told that records cannot be written.
const tellEvery = 10 * time.Second

// write writes a record, unless a filter keeps it out. An error, of kind
// ErrUnavailable, says that the request must not go on.
func (l *Log) write(stage string, who Auth, req Request, resp *Response) error {
	for _, f := range l.filters {
		if f.matches(req.Endpoint, stage, req.Operation) {
			return nil
		}
	}
	now := time.Now().UTC()
	req.NodeMeta = l.node
	line, err := json.Marshal(&Record{CreatedAt: now, EventType: "audit", Payload: Payload{
		ID: uuid.NewString(), Stage: stage, Type: "audit", Timestamp: now, Version: 1, Auth: who, Request: req, Response: resp,
	}})
	if err == nil {
		err = l.append(append(line, '\n'))
	}
	if err == nil {
		return nil
	}
	l.tell(err)
	if !l.enforced {
		return nil
	}
	return api.Errorf(api.ErrUnavailable, "the audit log of this agent cannot be written, and the configuration enforces it (audit.sink.delivery_guarantee): look at the agent's log, and ask another agent meanwhile")
}

func (l *Log) append(line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.torn {
		line = append([]byte{'\n'}, line...) // what was cut short stays a line of its own
	}
	n, err := l.sink.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	switch {
	case err == nil:
		l.torn = false
	case n > 0:
		l.torn = true
	}
	return err
}

func (l *Log) tell(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
	if now := time.Now(); now.Sub(l.told) >= tellEvery {
		l.logger.Error("the audit log cannot be written", "err", err, "records", l.failed, "enforced", l.enforced)
		l.told, l.failed = now, 0
	}
}

// Close closes the sink.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	if c, ok := l.sink.(io.Closer); ok {
		return c.Close()
	}
	return errors.ErrUnsupported
}
