package artifact

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seraihq/serai/api"
)

// BenchmarkFetch is what a small file costs: a process, its walls, and its end.
func BenchmarkFetch(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("x")) }))
	defer s.Close()
	src, err := Parse(&api.TaskArtifact{GetterSource: s.URL + "/x", GetterMode: "any"})
	if err != nil {
		b.Fatal(err)
	}
	f, dir := New(defaults()), b.TempDir()
	for b.Loop() {
		out, err := f.Fetch(b.Context(), Job{Source: src, Dir: dir, Task: "web"})
		if err != nil {
			b.Fatal(err)
		}
		out.Close()
	}
}
