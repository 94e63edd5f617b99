package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// load starts a server without a client and gives it a cluster.
func (b *bench) load(ctx context.Context, nodes, jobs, each int) (*target, error) {
	a, err := b.start(ctx, rig.Options{NoClient: true})
	if err != nil {
		return nil, err
	}
	var snapshot bytes.Buffer
	if err = writeCluster(&snapshot, nodes, jobs, each); err == nil {
		path := filepath.Join(a.Dir, "cluster.snap")
		if err = os.WriteFile(path, snapshot.Bytes(), 0o600); err == nil {
			err = a.restore(ctx, &snapshot)
		}
	}
	if err != nil {
		a.end()
		return nil, err
	}
	return a, nil
}

func (t *target) restore(ctx context.Context, snapshot io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, t.Address+"/v1/operator/snapshot", snapshot)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("restore: %s: %.300s", resp.Status, text)
	}
	return nil
}

// restartOfServer measures a server that holds 100,000 allocations.
func restartOfServer(ctx context.Context, b *bench) ([]figure, error) {
	const jobs, each = 1000, 100
	serving := figure{what: "restart (kill -9) of a server holding 100,000 allocations to serving", unit: "ms", budget: 3000}
	list := figure{what: "`GET /v1/allocations` of 100,000", unit: "ms", budget: 1000}
	answer := figure{what: "the same, size of the answer", unit: "MB"}
	held := figure{what: "server memory per allocation, 100,000 held (resident, above that of an empty server)", unit: "KiB", budget: 1}
	live := figure{what: "the same, live heap of the restored state alone", unit: "KiB", budget: 1}
	all := func() []figure { return []figure{serving, list, answer, held, live} }
	empty, err := b.start(ctx, rig.Options{NoClient: true})
	if err != nil {
		return nil, err
	}
	settle(ctx, 3*time.Second)
	base, _, _ := empty.helpers()
	empty.end()
	a, err := b.load(ctx, 1000, jobs, each)
	if err != nil {
		return nil, err
	}
	defer a.end()
	for range 5 {
		if err := a.Kill(); err != nil {
			return all(), err
		}
		began := time.Now()
		if err := a.Launch(); err != nil {
			return all(), err
		}
		if err := a.serves(ctx, jobs*each); err != nil {
			return all(), err
		}
		serving.values = append(serving.values, ms(time.Since(began)))
	}
	settle(ctx, 15*time.Second) // garbage of the restore is given back
	rss, _, _ := a.helpers()
	held.values = append(held.values, (rss-base)*1024/(jobs*each))
	heap, err := stateHeap(1000, jobs, each)
	if err != nil {
		return all(), err
	}
	live.values = append(live.values, heap/1024/(jobs*each))
	for range b.runs(1) {
		began := time.Now()
		n, err := a.drain(ctx, "/v1/allocations")
		if err != nil {
			return all(), err
		}
		list.values = append(list.values, ms(time.Since(began)))
		answer.values = append(answer.values, float64(n)/1e6)
	}
	return all(), nil
}

// serves waits until the server leads and answers from the state it held.
func (t *target) serves(ctx context.Context, allocs int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var one []struct{ ID string }
		// Not stale: only a leader with all of its log applied answers.
		_, err := t.call(ctx, http.MethodGet, "/v1/allocations?per_page=1", nil, &one)
		if err == nil && len(one) == 1 {
			var summary struct{ Summary map[string]map[string]int }
			_, err = t.call(ctx, http.MethodGet, fmt.Sprintf("/v1/job/job-%05d/summary", allocs/100-1), nil, &summary)
			if err == nil && summary.Summary["g"]["Running"] == 100 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not serve: %v", err)
		case <-t.Done():
			return fmt.Errorf("the server ended")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// drain reads an answer to its end and gives its size.
func (t *target) drain(ctx context.Context, path string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Address+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := t.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return n, err
}

// durablePlacements registers large jobs on a server with 5,000 nodes that are
// only known, and waits until all allocations are in the log and the state.
func durablePlacements(ctx context.Context, b *bench) ([]figure, error) {
	const count = 20000
	f := figure{what: "durable placements, whole path: one job of 20,000 on 5,000 nodes through the HTTP API and Raft on disk", unit: "allocations/s", budget: 20000, atLeast: true}
	g := figure{what: "the same, 200 jobs of 100, registered one after the other", unit: "allocations/s", budget: 20000, atLeast: true}
	for range 3 {
		a, err := b.load(ctx, 5000, 1, 1)
		if err != nil {
			return []figure{f, g}, err
		}
		err = func() error {
			defer a.end()
			took, err := a.placed(ctx, []map[string]any{job("big", "service", count, "mock_driver", map[string]any{"run_for": "1h"})}, count)
			if err != nil {
				return err
			}
			f.values = append(f.values, count/took.Seconds())
			var many []map[string]any
			for i := range 200 {
				many = append(many, job(fmt.Sprintf("many-%d", i), "service", 100, "mock_driver", map[string]any{"run_for": "1h"}))
			}
			if took, err = a.placed(ctx, many, 100); err != nil {
				return err
			}
			g.values = append(g.values, count/took.Seconds())
			return nil
		}()
		if err != nil {
			return []figure{f, g}, err
		}
	}
	return []figure{f, g}, nil
}

// placed registers jobs and waits until each has n allocations.
func (t *target) placed(ctx context.Context, jobs []map[string]any, n int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	began := time.Now()
	for _, j := range jobs {
		if _, err := t.call(ctx, http.MethodPut, "/v1/jobs", j, nil); err != nil {
			return 0, err
		}
	}
	for _, j := range jobs {
		if err := t.wait(ctx, j["Job"].(map[string]any)["ID"].(string), "Starting", n); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
