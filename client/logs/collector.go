package logs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"
)

// helping is the most that is moved by one system call: what a pipe holds.
const helping = 64 << 10

// Collector is what the streams of one agent share: one turn at moving bytes,
// and the scratch space for it.
type Collector struct {
	logger *slog.Logger
	turns  chan struct{} // holds one value: whoever took it may move bytes

	// The fields below belong to the holder of the turn.
	scratch  []byte
	peek     [2]int // a pipe for looking at bytes without taking them
	havePeek bool
	noSplice bool // the file system cannot: copy through scratch
}

// New makes a collector. Close frees what it holds.
func New(logger *slog.Logger) *Collector {
	c := &Collector{logger: logger.With("component", "logs"), turns: make(chan struct{}, 1)}
	c.turns <- struct{}{}
	return c
}

// Close waits for the turn and frees the scratch space. Streams must be closed before.
func (c *Collector) Close() {
	c.acquire()
	defer c.release()
	if c.havePeek {
		unix.Close(c.peek[0])
		unix.Close(c.peek[1])
		c.havePeek = false
	}
}

func (c *Collector) acquire() { <-c.turns }

func (c *Collector) release() { c.turns <- struct{}{} }

func (c *Collector) buffer() []byte {
	if c.scratch == nil {
		c.scratch = make([]byte, helping)
	}
	return c.scratch
}

// carry moves bytes from the FIFO to the end of the file. When a helping may
// not fit, what goes into the file ends with a line where one ends.
func (c *Collector) carry(fifo int, out *rotator, room int64) (int64, error) {
	want := int64(helping)
	if room < helping {
		n, err := c.fit(fifo, out, room)
		if err != nil {
			return 0, err
		}
		if n == 0 { // the line that is due belongs into the next file
			if err := out.next(); err != nil {
				return 0, err
			}
			return c.carry(fifo, out, out.maxSize-out.size)
		}
		want = n
	}
	if c.noSplice {
		return c.copy(fifo, out, want)
	}
	at := out.size
	n, err := unix.Splice(fifo, nil, int(out.file.Fd()), &at, int(want), unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
	if errors.Is(err, unix.EINVAL) {
		c.noSplice = true
		return c.copy(fifo, out, want)
	}
	out.size += n
	return n, err
}

// copy is carry for file systems that cannot splice.
func (c *Collector) copy(fifo int, out *rotator, want int64) (int64, error) {
	n, err := unix.Read(fifo, c.buffer()[:want])
	if err != nil {
		return 0, err
	}
	_, err = out.file.WriteAt(c.scratch[:n], out.size)
	out.size += int64(n)
	return int64(n), err
}

// fit gives how much of what is in the FIFO should go into the file, which has
// this much room: all if it fits, else up to the last line end. A line that
// does not fit starts the next file (0), and is cut when even that is too small.
func (c *Collector) fit(fifo int, out *rotator, room int64) (int64, error) {
	seen, err := c.look(fifo)
	if err != nil {
		return 0, err
	}
	if int64(len(seen)) <= room {
		return int64(len(seen)), nil
	}
	if end := bytes.LastIndexByte(seen[:room], '\n'); end >= 0 {
		return int64(end) + 1, nil
	}
	if out.size > 0 {
		return 0, nil
	}
	return room, nil
}

// look reads what is in the FIFO without taking it out.
func (c *Collector) look(fifo int) ([]byte, error) {
	if !c.havePeek {
		if err := unix.Pipe2(c.peek[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			return nil, err
		}
		c.havePeek = true
	}
	n, err := unix.Tee(fifo, c.peek[1], helping, unix.SPLICE_F_NONBLOCK)
	if err != nil {
		return nil, err
	}
	buf := c.buffer()
	got := 0
	for got < int(n) {
		m, err := unix.Read(c.peek[0], buf[got:n])
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		got += m
	}
	return buf[:got], nil
}

// discard takes a helping out of the FIFO and gives how much.
func (c *Collector) discard(fifo int) int64 {
	n, err := unix.Read(fifo, c.buffer())
	if err != nil || n < 0 {
		return 0
	}
	return int64(n)
}

func linksOf(st fs.FileInfo) uint64 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return uint64(sys.Nlink)
	}
	return 1
}
