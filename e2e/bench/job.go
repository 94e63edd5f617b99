package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// target is an agent to be measured.
type target struct {
	*rig.Agent
	http *http.Client
}

// start starts an agent; stop it with end.
func (b *bench) start(ctx context.Context, opts rig.Options) (*target, error) {
	opts.Binary = b.binary
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	a, err := rig.Start(ctx, opts)
	t := &target{Agent: a, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	if err != nil && a != nil {
		t.end()
	}
	return t, err
}

// end stops the agent and removes all of it.
func (t *target) end() {
	t.http.CloseIdleConnections()
	if err := t.Destroy(); err != nil {
		fmt.Println("<!-- ", err, " -->")
	}
}

// call sends a request and decodes the answer into out, when that is not nil.
func (t *target) call(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, t.Address+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	}
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.Header, err
	}
	return resp.Header, json.NewDecoder(resp.Body).Decode(out)
}

// job makes a job of one group with one task.
func job(id, kind string, count int, driver string, config map[string]any) map[string]any {
	return map[string]any{"Job": map[string]any{
		"ID": id, "Name": id, "Type": kind, "Datacenters": []string{"*"},
		"TaskGroups": []any{map[string]any{
			"Name": "g", "Count": count,
			"RestartPolicy":    map[string]any{"Attempts": 0, "Mode": "fail"},
			"ReschedulePolicy": map[string]any{"Attempts": 0, "Unlimited": false},
			"EphemeralDisk":    map[string]any{"SizeMB": 10},
			"Tasks": []any{map[string]any{
				"Name": "t", "Driver": driver, "Config": config, "KillTimeout": int64(100 * time.Millisecond),
				"Resources": map[string]any{"CPU": 1, "MemoryMB": 10},
				"LogConfig": map[string]any{"MaxFiles": 1, "MaxFileSizeMB": 1},
			}},
		}},
	}}
}

// until registers a job and waits until n of its allocations are in a client
// status; it gives the time from before the register.
func (t *target) until(ctx context.Context, body map[string]any, status string, n int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	id := body["Job"].(map[string]any)["ID"].(string)
	began := time.Now()
	if _, err := t.call(ctx, http.MethodPut, "/v1/jobs", body, nil); err != nil {
		return 0, err
	}
	err := t.wait(ctx, id, status, n)
	return time.Since(began), err
}

// wait watches a job until n of its allocations are in a status.
func (t *target) wait(ctx context.Context, id, status string, n int) error {
	index := "0"
	for {
		var summary struct{ Summary map[string]map[string]int }
		h, err := t.call(ctx, http.MethodGet, "/v1/job/"+id+"/summary?wait=10s&index="+index, nil, &summary)
		if err != nil {
			return err
		}
		if summary.Summary["g"][status] >= n {
			return nil
		}
		if failed := summary.Summary["g"]["Failed"]; failed > 0 && status != "Failed" {
			return fmt.Errorf("job %s: %d allocations failed", id, failed)
		}
		index = h.Get("X-Nomad-Index")
	}
}

// remove stops and purges a job and waits until nothing of it runs.
func (t *target) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := t.call(ctx, http.MethodDelete, "/v1/job/"+id, nil, nil); err != nil {
		return err
	}
	index := "0"
	for {
		var summary struct{ Summary map[string]map[string]int }
		h, err := t.call(ctx, http.MethodGet, "/v1/job/"+id+"/summary?wait=10s&index="+index, nil, &summary)
		if err != nil {
			return err
		}
		if g := summary.Summary["g"]; g["Running"]+g["Starting"] == 0 {
			break
		}
		index = h.Get("X-Nomad-Index")
	}
	_, err := t.call(ctx, http.MethodDelete, "/v1/job/"+id+"?purge=true", nil, nil)
	return err
}
