package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// BenchmarkPlacements measures the whole path in memory: register over HTTP,
// schedule, commit. BenchmarkListAllocations then lists what was placed.
func BenchmarkPlacements(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		c := startBench(b)
		for range 100 {
			c.node(func(*api.Allocation) string { return "" })
		}
		b.StartTimer()
		begin := time.Now()
		place(c, 100_000)
		b.ReportMetric(100_000/time.Since(begin).Seconds(), "placements/s")
	}
}

func BenchmarkListAllocations(b *testing.B) {
	c := startBench(b)
	for range 100 {
		c.node(func(*api.Allocation) string { return "" })
	}
	place(c, 100_000)
	b.ResetTimer()
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
