package docker

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// position is how far one stream of a container's output has been passed on: all that the engine noted before a time, and so many bytes of what it
// noted at that very time. The engine notes a long line in parts, all with the time of the first.
type position struct {
	at    time.Time
	bytes int64
}

// plus is the position n bytes of an entry further on.
func (p position) plus(at time.Time, n int) position {
	if !at.Equal(p.at) {
		return position{at: at, bytes: int64(n)}
	}
	p.bytes += int64(n)
	return p
}

// positions keeps the position of both streams in a small file in the task's private directory, so that a new process goes on exactly where this one
// was killed.
//
// Each write to a pipe is whole or not at all, for it is no larger than PIPE_BUF. Before it, the pipe's time of modification is set to a number of this
// write's own, and that number is put down with the position before and after it. The kernel sets the time when, and only when, the write is done: so
// the next process sees by it which of the two positions holds, wherever between these calls the last one has ended.
type positions struct {
	file *os.File // nil when it cannot be kept
	pos  [2]position
	seq  [2]uint32
}

const (
	// record is one stream's part of the file: number, two positions of seconds, nanoseconds and bytes, checksum.
	record = 4 + 2*20 + 4
	// lastSeq is where the numbers begin anew: as times they all lie long before today.
	lastSeq = 1 << 30
)

// openPositions reads the file, or begins one.
func openPositions(cfg *drivers.TaskConfig, pipes [2]*os.File) (*positions, error) {
	p := &positions{}
	root, err := os.OpenRoot(cfg.TaskDir().Private)
	if err != nil {
		return p, err
	}
	defer root.Close()
	name := filepath.Base(stageDir(cfg.ID)) + ".output"
	if p.file, err = root.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600); err != nil {
		p.file = nil
		return p, err
	}
	var text [2 * record]byte
	n, _ := p.file.ReadAt(text[:], 0)
	for i := range p.pos {
		one := text[i*record : (i+1)*record]
		if n < (i+1)*record || binary.LittleEndian.Uint32(one[record-4:]) != crc32.ChecksumIEEE(one[:record-4]) {
			continue
		}
		p.seq[i] = binary.LittleEndian.Uint32(one)
		p.pos[i] = getPosition(one[24:])
		if pipes[i] != nil && modified(pipes[i]).Equal(time.Unix(int64(p.seq[i]), 0)) {
			p.pos[i] = getPosition(one[4:]) // the write was not done
		}
	}
	return p, nil
}

func getPosition(b []byte) (p position) {
	if sec := int64(binary.LittleEndian.Uint64(b)); sec != 0 {
		p.at = time.Unix(sec, int64(binary.LittleEndian.Uint32(b[8:])))
	}
	p.bytes = int64(binary.LittleEndian.Uint64(b[12:]))
	return p
}

func putPosition(b []byte, p position) {
	if !p.at.IsZero() {
		binary.LittleEndian.PutUint64(b, uint64(p.at.Unix()))
		binary.LittleEndian.PutUint32(b[8:], uint32(p.at.Nanosecond()))
	}
	binary.LittleEndian.PutUint64(b[12:], uint64(p.bytes))
}

func modified(f *os.File) time.Time {
	st, err := f.Stat()
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// intend puts down that the write which comes next to a pipe takes its stream from one position to another. What cannot be put down may come twice after a
// restart.
func (p *positions) intend(stream int, fd int, after position) {
	if p.file == nil {
		return
	}
	p.seq[stream] = p.seq[stream]%lastSeq + 1
	mark := unix.Timeval{Sec: int64(p.seq[stream])}
	if unix.Futimes(fd, []unix.Timeval{mark, mark}) != nil {
		return
	}
	var text [record]byte
	binary.LittleEndian.PutUint32(text[:], p.seq[stream])
	putPosition(text[4:], p.pos[stream])
	putPosition(text[24:], after)
	binary.LittleEndian.PutUint32(text[record-4:], crc32.ChecksumIEEE(text[:record-4]))
	_, _ = p.file.WriteAt(text[:], int64(stream*record))
}

// slack is how far apart in time the engine may note what two streams wrote one after the other.
const slack = 5 * time.Second

// since is the time from which on the engine is to be asked for output; zero is the beginning.
func (p *positions) since() time.Time {
	a, b := p.pos[0].at, p.pos[1].at
	if a.After(b) {
		a, b = b, a
	}
	if b.IsZero() {
		return b
	}
	if early := b.Add(-slack); early.After(a) {
		return early
	}
	return a
}

func (p *positions) close() {
	if p.file != nil {
		_ = p.file.Close()
	}
}
