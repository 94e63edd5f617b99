package files

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holes in files of an archive: the entry holds the data alone, and two PAX
// records say how large the file is and where its data lie, as
// "at,size,at,size,…". An archive goes from one agent to another, so no other
// program needs to read it.
const (
	paxSize    = "SERAI.size"
	paxExtents = "SERAI.extents"
	// maxExtents bounds the list; holes between further data are sent as zeros.
	maxExtents = 4096
	// leastHole is the size from which a hole is worth its place in the list.
	leastHole = 64 << 10
)

// extent is a run of data in a file.
type extent struct{ at, size int64 }

// extents finds the data of a file of this size. Where the file system does not
// tell holes, all of it is data.
func extents(f *os.File, size int64) ([]extent, error) {
	var out []extent
	for at := int64(0); at < size; {
		start, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return out, nil // a hole up to the end
		}
		if errors.Is(err, unix.EINVAL) {
			return []extent{{0, size}}, nil
		}
		if err != nil {
			return nil, err
		}
		end, err := unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return nil, err
		}
		start, end = min(start, size), min(end, size)
		last := len(out) - 1
		if last >= 0 && (start-(out[last].at+out[last].size) < leastHole || len(out) == maxExtents) {
			out[last].size = end - out[last].at
		} else if end > start {
			out = append(out, extent{start, end - start})
		}
		at = max(end, at+1)
	}
	return out, nil
}

// describe says in the head of an entry what of the file it holds.
func describe(head *tar.Header, data []extent, size int64) {
	if len(data) == 1 && data[0] == (extent{0, size}) || size == 0 {
		head.Size = size
		return
	}
	var list strings.Builder
	for i, e := range data {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, "%d,%d", e.at, e.size)
		head.Size += e.size
	}
	head.PAXRecords = map[string]string{paxSize: strconv.FormatInt(size, 10), paxExtents: list.String()}
}

// extentsOf reads what describe wrote, which the reader does not trust.
func extentsOf(head *tar.Header) (data []extent, size int64, err error) {
	text, sparse := head.PAXRecords[paxSize]
	if !sparse {
		if head.Size < 0 {
			return nil, 0, errors.New("a size below zero")
		}
		return []extent{{0, head.Size}}, head.Size, nil
	}
	if size, err = strconv.ParseInt(text, 10, 64); err != nil || size < 0 {
		return nil, 0, errors.New("no size")
	}
	list := head.PAXRecords[paxExtents]
	if list == "" {
		if head.Size != 0 {
			return nil, 0, errors.New("data without a place")
		}
		return nil, size, nil
	}
	var at, total int64
	for n := 0; list != ""; n++ {
		var e extent
		if e.at, e.size, list, err = nextExtent(list); err != nil {
			return nil, 0, err
		}
		if n >= maxExtents || e.at < at || e.size < 0 || e.size > size-e.at {
			return nil, 0, errors.New("data out of order")
		}
		at = e.at + e.size
		total += e.size
		data = append(data, e)
	}
	if total != head.Size {
		return nil, 0, errors.New("data of another size")
	}
	return data, size, nil
}

func nextExtent(list string) (at, size int64, rest string, err error) {
	first, rest, found := strings.Cut(list, ",")
	if !found {
		return 0, 0, "", io.ErrUnexpectedEOF
	}
	second, rest, more := strings.Cut(rest, ",")
	if more && rest == "" {
		return 0, 0, "", io.ErrUnexpectedEOF
	}
	if at, err = strconv.ParseInt(first, 10, 64); err != nil {
		return 0, 0, "", err
	}
	size, err = strconv.ParseInt(second, 10, 64)
	return at, size, rest, err
}
