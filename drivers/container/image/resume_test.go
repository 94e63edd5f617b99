package image

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A connection that breaks in the middle of a layer costs what had not come yet, whether or not the registry can begin in the middle.
func TestResume(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 40*kib)
	layer := sent(tarOf(t, reg("f", content)), tarOf(t, reg("f", content)))
	id, err := layer.Digest()
	must(t, err)
	text := tarOf(t, reg("f", content))
	part := len(text) / 5
	for name, ranges := range map[string]bool{"ranges": true, "from the beginning": false} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			ref := h.push(imageOf(t, layer), "app:1")
			s := openStore(t, t.TempDir(), Options{})
			var asked, bytes atomic.Int64
			h.first(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, id.String()) {
					return false
				}
				from := 0
				if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 && ranges {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(text)-1, len(text)))
				} else {
					from = 0
				}
				turn := int(asked.Add(1))
				if turn == 2 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(text)-from))
				if from > 0 {
					w.WriteHeader(http.StatusPartialContent)
				}
				n, _ := w.Write(text[from:max(from, min(len(text), turn*part))])
				bytes.Add(int64(n))
				return true // fewer than announced: the connection is cut
			})
			image, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(filepath.Join(image.Layers[0], "f")); string(got) != content {
				t.Errorf("%d bytes are not the %d of the layer", len(got), len(content))
			}
			if ranges && bytes.Load() != int64(len(text)) {
				t.Errorf("%d bytes were sent of %d", bytes.Load(), len(text))
			}
			idle(t, s)
		})
	}
}

// What comes over a second connection is checked with what came over the first.
func TestEscapeResume(t *testing.T) {
	text := tarOf(t, reg("f", strings.Repeat("good", 10*kib)))
	layer := sent(text, text)
	id, err := layer.Digest()
	must(t, err)
	for name, answer := range map[string]func(w http.ResponseWriter, from int){
		"other bytes": func(w http.ResponseWriter, from int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(text)-1, len(text)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(make([]byte, len(text)-from))
		},
		"another place": func(w http.ResponseWriter, _ int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(text)-1, len(text)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(text)
		},
		"sent away": func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusForbidden) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			ref := h.push(imageOf(t, layer), "app:1")
			s := openStore(t, t.TempDir(), Options{ActivityTimeout: time.Second})
			h.first(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, id.String()) {
					return false
				}
				from := 0
				if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
					answer(w, from)
					return true
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(text)))
				w.Write(text[:len(text)/2])
				return true
			})
			if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrDenied) {
				t.Error(err)
			}
			idle(t, s)
		})
	}
}
