package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seraihq/serai/drivers/builtin"
	"github.com/seraihq/serai/e2e/rig"
)

// containerMemory is what 200 running containers add to serai's own processes.
func containerMemory(ctx context.Context, b *bench) ([]figure, error) {
	if _, there := builtin.Lookup("container"); !there || os.Geteuid() != 0 {
		return nil, errors.New("it takes the container driver and root")
	}
	h, err := newHub()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	dir, err := os.MkdirTemp("", "serai-bench-images-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	a, err := b.start(ctx, rig.Options{Dev: true, Config: fmt.Sprintf(`
plugin "container" {
  config {
    image_dir           = %q
    insecure_registries = [%q]
  }
}`, filepath.Join(dir, "images"), h.host())})
	if err != nil {
		return nil, err
	}
	defer a.end()
	const n = 200
	settle(ctx, 5*time.Second)
	rss0, pss0, n0 := a.helpers()
	took, err := a.until(ctx, job("boxes", "service", n, "container", map[string]any{"image": h.ref, "command": "sleep", "args": []string{"3600"}}), "Running", n)
	if err != nil {
		return nil, err
	}
	settle(ctx, 10*time.Second)
	rss1, pss1, n1 := a.helpers()
	return []figure{
		{what: "200 containers of `sleep`: added resident memory of all of serai's processes, each", unit: "MiB", budget: 1.5, values: []float64{(rss1 - rss0) / n}},
		{what: "the same, proportional (PSS)", unit: "MiB", budget: 1.5, values: []float64{(pss1 - pss0) / n}},
		{what: "the same, added processes", values: []float64{float64(n1 - n0)}},
		{what: "register → running, 200 containers of one job", unit: "ms", values: []float64{ms(took)}},
	}, a.remove(ctx, "boxes")
}

// manyTasks is how soon logs and statistics of 500 exec tasks are answered.
func manyTasks(ctx context.Context, b *bench) ([]figure, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("it takes root")
	}
	a, err := b.start(ctx, rig.Options{Dev: true})
	if err != nil {
		return nil, err
	}
	defer a.end()
	const n = 500
	took, err := a.until(ctx, job("many", "service", n, "exec", map[string]any{"command": "/bin/sh",
		"args": []string{"-c", "i=0; while [ $i -lt 100 ]; do echo this is line $i of the task; i=$((i+1)); done; exec sleep 3600"}}), "Running", n)
	if err != nil {
		return nil, err
	}
	settle(ctx, 5*time.Second)
	var list []struct{ ID string }
	if _, err := a.call(ctx, http.MethodGet, "/v1/job/many/allocations", nil, &list); err != nil {
		return nil, err
	}
	out := []figure{{what: "register → running, 500 exec tasks of one job", unit: "ms", values: []float64{ms(took)}}}
	for what, path := range map[string]string{
		"500 exec tasks on one node: logs of one of them":       "/v1/client/fs/logs/%s?task=t&type=stdout&plain=true",
		"500 exec tasks on one node: statistics of one of them": "/v1/client/allocation/%s/stats",
	} {
		f := figure{what: what, unit: "ms", budget: 50, byP99: true}
		for range 50 * b.n {
			id := list[rand.IntN(len(list))].ID
			began := time.Now()
			if _, err := a.call(ctx, http.MethodGet, fmt.Sprintf(path, id), nil, nil); err != nil {
				return out, err
			}
			f.values = append(f.values, ms(time.Since(began)))
		}
		out = append(out, f)
	}
	return out, a.remove(ctx, "many")
}
