package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/client/files"
)

const (
	fifoMode = 0o600
	// burst is how much a stream may move before another has its turn.
	burst = 1 << 20
	// lastDrain bounds what is still read of a stream that is closed, should
	// something that outlived the task go on writing.
	lastDrain = 16 << 20
	// retryAfter is how long output is dropped before a file that could not be
	// written is tried again.
	retryAfter = time.Second
	// tellAfter is how long after an outage the next one is not told again.
	tellAfter = time.Minute
)

// Config describes one stream.
type Config struct {
	Dir         string // the allocation's directory
	Task        string
	Kind        string // stdout or stderr
	MaxFiles    int
	MaxFileSize int64 // bytes
	// UID and GID own the FIFO, so that the task can open it by name too
	// (/dev/stdout); 0 is the agent's own.
	UID, GID int
	// Tell, when set, is for the task's history: output is lost, or no longer.
	Tell func(text string)
}

// Stats count what became of a stream's output, in bytes.
type Stats struct {
	Written uint64
	Dropped uint64
}

// Stream carries one output of one task until it is closed.
type Stream struct {
	collector *Collector
	logger    *slog.Logger
	fifo      *os.File
	out       rotator
	retryAt   time.Time // owned by run
	failed    bool      // owned by run: the present outage is logged
	tell      func(string)
	toldAt    time.Time // owned by run: when an outage was told last
	toldLost  uint64    // owned by run: what had been dropped before that
	telling   bool      // owned by run: its end is to be told as well

	written atomic.Uint64
	dropped atomic.Uint64
	done    chan struct{}
	waiting atomic.Bool

	mu      sync.Mutex // guards changed
	changed chan struct{}
}

// Open makes the FIFO where it is not there yet and starts carrying. A FIFO
// that is there is read on, and its output appended to the newest file.
func (c *Collector) Open(cfg Config) (*Stream, error) {
	root, err := files.Open(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := FIFOName(cfg.Task, cfg.Kind)
	if err := root.MakeFIFO(name, fifoMode, owner(cfg.UID), owner(cfg.GID)); err != nil {
		return nil, err
	}
	fifo, err := root.OpenFIFO(name)
	if err != nil {
		return nil, err
	}
	s := &Stream{
		collector: c,
		logger:    c.logger.With("task", cfg.Task, "stream", cfg.Kind),
		fifo:      fifo,
		out: rotator{
			dir: cfg.Dir, task: cfg.Task, kind: cfg.Kind,
			maxFiles: max(1, cfg.MaxFiles), maxSize: max(1, cfg.MaxFileSize),
		},
		tell:    cfg.Tell,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	if err := s.out.open(); err != nil {
		s.outage(err)
	}
	go s.run()
	return s, nil
}

// owner is an owner for MakeFIFO.
func owner(id int) int {
	if id == 0 {
		return -1
	}
	return id
}

// Close reads what is left in the FIFO and stops. The FIFO stays: what its
// writers hold open is not lost.
func (s *Stream) Close() {
	// The deadline wakes run from the poller; an error would mean that it has ended.
	_ = s.fifo.SetReadDeadline(time.Unix(1, 0))
	<-s.done
}

// Stats gives the counts so far.
func (s *Stream) Stats() Stats {
	return Stats{Written: s.written.Load(), Dropped: s.dropped.Load()}
}

// Changed gives a channel that is closed when more is written.
func (s *Stream) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.Store(true)
	return s.changed
}

// Done is closed when the stream is closed and all of it is written.
func (s *Stream) Done() <-chan struct{} { return s.done }

func (s *Stream) run() {
	defer close(s.done)
	defer s.out.close()
	defer s.fifo.Close()
	conn, err := s.fifo.SyscallConn()
	if err != nil {
		s.logger.Warn("task output cannot be read", "err", err)
		return
	}
	for {
		err := conn.Read(func(fd uintptr) bool { return s.turn(int(fd)) > 0 })
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			s.logger.Warn("task output cannot be read", "err", err)
			return
		}
		// Closed: what the task wrote before is in the FIFO.
		_ = conn.Control(func(fd uintptr) {
			for left := int64(lastDrain); left > 0; {
				n := s.turn(int(fd))
				if n == 0 {
					return
				}
				left -= n
			}
		})
		return
	}
}

// turn moves at most a burst and gives how much; 0 when the FIFO is empty.
func (s *Stream) turn(fifo int) (moved int64) {
	s.collector.acquire()
	defer s.collector.release()
	for moved < burst {
		n := s.move(fifo)
		if n == 0 {
			break
		}
		moved += n
	}
	if moved > 0 {
		s.announce()
	}
	return moved
}

// move takes one helping out of the FIFO, to the file or to nowhere.
func (s *Stream) move(fifo int) int64 {
	if s.failed && time.Now().Before(s.retryAt) {
		return s.drop(fifo)
	}
	room, err := s.out.room()
	if err == nil {
		var n int64
		n, err = s.collector.carry(fifo, &s.out, room)
		if err == nil {
			s.recover()
			s.written.Add(uint64(n))
			return n
		}
		if errors.Is(err, unix.EAGAIN) {
			return 0
		}
	}
	s.outage(err)
	return s.drop(fifo)
}

func (s *Stream) drop(fifo int) int64 {
	n := s.collector.discard(fifo)
	s.dropped.Add(uint64(n))
	return n
}

func (s *Stream) outage(err error) {
	if !s.failed {
		s.logger.Warn("task output cannot be written and is dropped", "err", err)
		s.tellOutage(err)
	}
	s.failed = true
	s.retryAt = time.Now().Add(retryAfter)
	s.out.close()
}

// tellOutage puts the beginning of an outage into the task's history, unless the last one has just been told.
func (s *Stream) tellOutage(err error) {
	if s.tell == nil || time.Since(s.toldAt) < tellAfter {
		return
	}
	s.toldAt, s.toldLost, s.telling = time.Now(), s.dropped.Load(), true
	s.tell(fmt.Sprintf("What the task writes to %s cannot be kept and is lost: %v", s.out.kind, err))
}

// recover ends an outage, and tells what was lost when its beginning was told.
func (s *Stream) recover() {
	if !s.failed {
		return
	}
	s.failed = false
	s.logger.Info("task output is written again", "dropped", s.dropped.Load())
	if s.telling {
		s.telling = false
		s.tell(fmt.Sprintf("What the task writes to %s is kept again: %d bytes were lost", s.out.kind, s.dropped.Load()-s.toldLost))
	}
}

// announce wakes those who wait on Changed.
func (s *Stream) announce() {
	if !s.waiting.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.Store(false)
	close(s.changed)
	s.changed = make(chan struct{})
}
