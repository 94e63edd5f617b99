package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/internal/pause"
)

const (
	waiters    = 1000 // blocking queries
	wakeRounds = 10   // changes
)

// wake measures how soon blocking queries, a third at each server, answer after
// a change, counted from when the change is sent. It does so for queries whose
// answer must be as new as the leader's, and for stale ones.
func (c *clusterRun) wake(ctx context.Context) error {
	tr := &http.Transport{TLSClientConfig: c.t.http.Transport.(*http.Transport).TLSClientConfig.Clone(), MaxIdleConnsPerHost: waiters, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	if err := c.change(ctx, 0); err != nil {
		return err
	}
	for _, kind := range []struct{ key, query, what string }{
		{"wake", "", "as new as the leader's state"}, {"wake_stale", "&stale", "stale"},
	} {
		c.report.say("%d blocking queries, %s", waiters, kind.what)
		var all []float64
		for round := range wakeRounds {
			took, err := c.wakeOnce(ctx, client, kind.query, round+1)
			if err != nil {
				return err
			}
			all = append(all, took...)
		}
		c.report.add(row{
			Key: kind.key, What: fmt.Sprintf("change sent → answer of %d blocking queries, %s", waiters, kind.what), Unit: "ms", Goal: 100,
			Note: fmt.Sprintf("%d changes, a third of the queries at each server", wakeRounds),
		}, all...)
	}
	return nil
}

// change changes the namespace that is looked at. Nothing else does, as a job's
// evaluation would change the job.
func (c *clusterRun) change(ctx context.Context, round int) error {
	return c.t.put(ctx, "PUT", "/v1/namespace/wake", object{"Name": "wake", "Description": fmt.Sprint("change ", round)})
}

// quiet is a job that runs nothing.
func quiet(id string, change int) object {
	w := wanted{id: id, priority: 50, cpu: 20, memory: 32}
	body := w.body(&options{Type: "service"}, &shape{})
	body["Job"].(object)["Meta"] = object{"change": strconv.Itoa(change)}
	return body
}

// wakeOnce opens the queries, changes what they wait for, and gives how long
// each took to answer.
func (c *clusterRun) wakeOnce(ctx context.Context, client *http.Client, query string, round int) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	index, err := c.index(ctx, client)
	if err != nil {
		return nil, err
	}
	var done sync.WaitGroup
	answered := make([]time.Time, waiters)
	problems := make([]error, waiters)
	for i := range waiters {
		url := fmt.Sprintf("%s/v1/namespace/wake?index=%d&wait=50s%s", c.t.members[i%servers].http(), index, query)
		done.Go(func() {
			_, problems[i] = c.t.get(ctx, client, url)
			answered[i] = time.Now()
		})
	}
	// Until all of them wait; the first round makes the connections.
	pause.For(ctx, 2*time.Second)
	for i := range answered {
		if problems[i] != nil {
			return nil, problems[i]
		}
	}
	sent := time.Now()
	if err := c.change(ctx, round); err != nil {
		return nil, err
	}
	done.Wait()
	var took []float64
	for _, at := range answered {
		if at.Before(sent) {
			return nil, errors.New("a blocking query answered before the change")
		}
		took = append(took, milliseconds(at.Sub(sent)))
	}
	return took, errors.Join(problems...)
}

// index gives the index of the namespace that is looked at.
func (c *clusterRun) index(ctx context.Context, client *http.Client) (uint64, error) {
	h, err := c.t.get(ctx, client, c.t.members[0].http()+"/v1/namespace/wake")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(h.Get("X-Nomad-Index"), 10, 64)
}

// get asks a URL and gives the headers of the answer.
func (t *trio) get(ctx context.Context, client *http.Client, url string) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Nomad-Token", t.token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %.300s", url, resp.Status, text.String())
	}
	return resp.Header, nil
}

// raw gives what a path of a server answers.
func (t *trio) raw(ctx context.Context, m *member, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.http()+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Nomad-Token", t.token)
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.300s", path, resp.Status, text)
	}
	return text, err
}
