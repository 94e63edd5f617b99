package diskwatch

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkRound is a round in which each of 500 allocations, with the
// directories that one has, is measured.
func BenchmarkRound(b *testing.B) {
	dir := b.TempDir()
	var all []Allocation
	for i := range 500 {
		id := fmt.Sprint(i)
		for _, d := range []string{"alloc/data", "alloc/logs", "alloc/tmp", "web/local/app", "web/tmp", "web/secrets", "web/private"} {
			if err := os.MkdirAll(filepath.Join(dir, id, d), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		for f := range 20 {
			if err := os.WriteFile(filepath.Join(dir, id, "web/local/app", fmt.Sprint(f)), []byte("x"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		all = append(all, Allocation{ID: id, Dir: filepath.Join(dir, id), Limit: 300 << 20})
	}
	w := New(dir, slog.New(slog.DiscardHandler))
	w.due(all, w.now())
	b.ResetTimer()
	for b.Loop() {
		for _, a := range all {
			w.measure(b.Context(), a)
		}
	}
}
