package rest

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
)

// compressFrom is the size from which a response is worth compressing.
const compressFrom = 1 << 10

// streamFrom is the length from which a list is written element by element, so
// that no second copy of it is ever in memory.
const streamFrom = 256

func writeMeta(h http.Header, m api.Meta) {
	if m.Index > 0 {
		h.Set("X-Nomad-Index", strconv.FormatUint(m.Index, 10))
	}
	h.Set("X-Nomad-KnownLeader", strconv.FormatBool(m.KnownLeader))
	h.Set("X-Nomad-LastContact", strconv.FormatInt(int64(m.LastContact)/int64(time.Millisecond), 10))
	if m.NextToken != "" {
		h.Set("X-Nomad-NextToken", m.NextToken)
	}
}

// writeValue writes a value as JSON: indented when asked for, compressed when
// that is accepted and worth it.
func writeValue(w http.ResponseWriter, r *http.Request, value any) error {
	if _, none := value.(api.None); none {
		value = struct{}{} // Nomad's Go client decodes a body here, and refuses an empty one
	}
	pretty := r.URL.Query().Has("pretty") && r.URL.Query().Get("pretty") != "false"
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Add("Vary", "Accept-Encoding")
	list := reflect.ValueOf(value)
	if list.Kind() == reflect.Slice {
		if list.Len() == 0 {
			_, err := io.WriteString(w, "[]")
			return err
		}
		if list.Len() >= streamFrom && !pretty {
			return writeList(w, r, list)
		}
	}
	var data []byte
	var err error
	if pretty {
		data, err = json.MarshalIndent(value, "", "    ")
		data = append(data, '\n')
	} else {
		data, err = json.Marshal(value)
	}
	if err != nil {
		return err
	}
	if len(data) < compressFrom || !acceptsGzip(r) {
		h.Set("Content-Length", strconv.Itoa(len(data)))
		_, err = w.Write(data)
		return err
	}
	out, done := compressed(w)
	defer done()
	_, err = out.Write(data)
	return err
}

// chunk is how many elements of a list are encoded at a time.
const chunk = 256

// writeList writes a long list. Chunks of it are encoded on all cores and
// written in order; only a few of them are in memory at a time.
func writeList(w http.ResponseWriter, r *http.Request, list reflect.Value) error {
	out := io.Writer(w)
	if acceptsGzip(r) {
		zip, done := compressed(w)
		defer done()
		out = zip
	}
	type part struct {
		data []byte
		err  error
	}
	parts := make(chan chan part, runtime.GOMAXPROCS(0)+1)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(parts)
		for from := 0; from < list.Len(); from += chunk {
			p := make(chan part, 1)
			select {
			case parts <- p:
			case <-stop:
				return
			}
			go func() {
				data, err := json.Marshal(list.Slice(from, min(from+chunk, list.Len())).Interface())
				p <- part{data, err}
			}()
		}
	}()
	lead := byte('[')
	for p := range parts {
		got := <-p
		if got.err != nil {
			panic(http.ErrAbortHandler) // the status is sent: the client must see a broken answer
		}
		got.data[0] = lead
		lead = ','
		if _, err := out.Write(got.data[:len(got.data)-1]); err != nil {
			return nil // the client is gone
		}
	}
	_, _ = out.Write([]byte{']'})
	return nil
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}

var gzips = sync.Pool{New: func() any {
	zip, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return zip
}}

// compressed gives a writer that compresses into w; done ends the stream.
func compressed(w http.ResponseWriter) (out io.Writer, done func()) {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Del("Content-Length")
	zip := gzips.Get().(*gzip.Writer)
	zip.Reset(w)
	return zip, func() {
		_ = zip.Close()
		zip.Reset(io.Discard)
		gzips.Put(zip)
	}
}

// flusher writes a stream whose reader wants each part at once.
type flusher struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func newFlusher(w http.ResponseWriter) flusher { return flusher{w, http.NewResponseController(w)} }

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.c.Flush()
	}
	return n, err
}

// asFile sets the headers under which content of unknown origin is harmless in
// a browser.
func asFile(h http.Header, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox")
}
