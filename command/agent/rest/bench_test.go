package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// The benchmarks place so many allocations on so many nodes.
const (
	total = 100_000
	nodes = 5_000
)

func silent(*api.Allocation) string { return "" }

func filled(b *testing.B, dir string) (*cluster, time.Duration) {
	c := startIn(b, dir)
	for range nodes {
		c.node(silent)
	}
	begin := time.Now()
	place(c, total)
	return c, time.Since(begin)
}

// BenchmarkPlacements measures the whole path: register over HTTP, schedule,
// commit; in memory and durably on disk.
func BenchmarkPlacements(b *testing.B) {
	for name, dir := range map[string]func() string{"memory": func() string { return "" }, "disk": b.TempDir} {
		b.Run(name, func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				c, t := filled(b, dir())
				took += t
				c.stop()
			}
			b.ReportMetric(total*float64(b.N)/took.Seconds(), "placements/s")
		})
	}
}

// BenchmarkRestart measures how long a server that holds the allocations takes
// from its start until it serves.
func BenchmarkRestart(b *testing.B) {
	dir := b.TempDir()
	c, _ := filled(b, dir)
	c.stop()
	for b.Loop() {
		startIn(b, dir).stop()
	}
}

// BenchmarkListAllocations lists all over HTTP.
func BenchmarkListAllocations(b *testing.B) {
	c, _ := filled(b, "")
	for b.Loop() {
		resp, err := http.Get(c.http.URL + "/v1/allocations?task_states=false")
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
	}
}

// place registers jobs of 1000 allocations each and waits until all are placed.
func place(c *cluster, total int) {
	for i := range total / 1000 {
		c.register(job(fmt.Sprintf("job-%03d", i), 1000, func(j map[string]any) {
			task := j["TaskGroups"].([]any)[0].(map[string]any)["Tasks"].([]any)[0].(map[string]any)
			task["Resources"] = map[string]any{"CPU": 1, "MemoryMB": 10}
		}))
	}
	var evals []*api.Evaluation
	c.until("/v1/evaluations?filter="+`Status+%3D%3D+"pending"`, func(body []byte) bool { return string(body) == "[]" })
	c.get("/v1/evaluations?status=blocked", &evals)
	if len(evals) > 0 {
		c.t.Fatalf("%d evaluations are blocked: %+v", len(evals), evals[0])
	}
}
