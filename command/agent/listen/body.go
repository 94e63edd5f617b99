package listen

import (
	"io"
	"net/http"

	"github.com/seraihq/serai/api"
)

// MaxJSONDepth is how deep a JSON body may nest. Job files reach about 15.
const MaxJSONDepth = 128

// Bodies refuses bodies larger than limit: with status 413 before a byte is
// read when the request says its size, else after limit bytes. Where raw says
// so, the body is not for this limit.
func Bodies(limit int64, raw func(r *http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if raw != nil && raw(r) {
			next.ServeHTTP(w, r)
			return
		}
		if r.ContentLength > limit {
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusRequestEntityTooLarge, TooLarge(limit).Error())
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// TooLarge is the error about a body over the limit.
func TooLarge(limit int64) error {
	return api.Errorf(api.ErrTooLarge, "request body is larger than %d bytes; the limit is limits.http_max_body_size", limit)
}

// JSONDepth reads a JSON text and fails as soon as it nests too deep, before
// anything is built from it.
func JSONDepth(r io.Reader, max int) io.Reader { return &depthReader{r: r, max: max} }

type depthReader struct {
	r         io.Reader
	max       int
	depth     int
	inString  bool
	backslash bool
}

func (d *depthReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	for _, c := range p[:n] {
		switch {
		case d.backslash:
			d.backslash = false
		case d.inString:
			d.backslash, d.inString = c == '\\', c != '"'
		case c == '"':
			d.inString = true
		case c == '{' || c == '[':
			if d.depth++; d.depth > d.max {
				return 0, api.Errorf(api.ErrInvalid, "request body: JSON nests deeper than %d levels", d.max)
			}
		case c == '}' || c == ']':
			d.depth--
		}
	}
	return n, err
}
