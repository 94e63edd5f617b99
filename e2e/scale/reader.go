package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readEvery is how often one read of each kind is sent to each follower.
const readEvery = 20 * time.Millisecond

// Reading is done by a process of its own, so that it does not wait for the
// thousands of clients in this one: its times are those of the servers.
type readers struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// readFigures are the times of reads in milliseconds, by kind.
type readFigures struct {
	Kinds  map[string][]float64
	Failed int
	First  string // error
}

// readOrder tells that process what to do.
type readOrder struct {
	Servers []string
	Paths   []string
	Token   string
	CA      string
}

// readKinds are the ways to read: from the follower's own state as it is; after the
// leader has said how far it is; and after it has asked a majority first whether it
// still leads.
var readKinds = []struct{ key, query, what string }{
	{"stale", "stale", "stale: its own state"},
	{"default", "", "default: after the leader has said how far it is"},
	{"consistent", "consistent", "consistent: the same, and the leader asks a majority"},
}

func (c *clusterRun) startReaders(ctx context.Context, followers []*member) (*readers, error) {
	o := readOrder{Token: c.t.token, CA: c.t.members[0].ca(), Paths: []string{"/v1/jobs?per_page=10", "/v1/node/" + c.f.nodes[0].def.ID, "/v1/node/" + c.f.nodes[len(c.f.nodes)-1].def.ID}}
	for _, m := range followers {
		o.Servers = append(o.Servers, m.http())
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-reader")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r := &readers{cmd: cmd}
	if r.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewScanner(out)
	r.out.Buffer(nil, 64<<20)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return r, json.NewEncoder(r.in).Encode(&o)
}

func (r *readers) stop() {
	_ = r.in.Close()
	_ = r.cmd.Wait()
}

// take gives what was read since it was last called.
func (r *readers) take() (*readFigures, error) {
	if _, err := io.WriteString(r.in, "\"take\"\n"); err != nil {
		return nil, err
	}
	if !r.out.Scan() {
		return nil, fmt.Errorf("the process that reads has ended: %w", errors.Join(r.out.Err(), io.ErrUnexpectedEOF))
	}
	out := new(readFigures)
	return out, json.Unmarshal(r.out.Bytes(), out)
}

// rows adds the figures of each kind.
func (f *readFigures) rows(r *report, key, when string, goal float64) {
	note := ""
	if f.Failed > 0 {
		note = fmt.Sprintf("%d failed, the first: %s", f.Failed, f.First)
	}
	for _, k := range readKinds {
		w := row{Key: "read_" + k.key + "_" + key, What: "a follower's read " + when + ", " + k.what, Unit: "ms", Goal: goal, Note: note}
		if note != "" && goal > 0 {
			w.Verdict = "MISSED"
		}
		r.add(w, f.Kinds[k.key]...)
	}
}

// reader is that process: it reads until its input ends.
func reader(ctx context.Context) error {
	in := json.NewDecoder(os.Stdin)
	var o readOrder
	if err := in.Decode(&o); err != nil {
		return err
	}
	ca, err := os.ReadFile(o.CA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	w := &readWork{order: o, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 200}}}
	w.seen.Kinds = map[string][]float64{}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go w.run(ctx)
	for {
		var word string
		if err := in.Decode(&word); err != nil {
			return nil // the end of the input
		}
		if err := json.NewEncoder(os.Stdout).Encode(w.take()); err != nil {
			return err
		}
	}
}

type readWork struct {
	order  readOrder
	client *http.Client

	mu   sync.Mutex
	seen readFigures
}

func (w *readWork) take() readFigures {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.seen
	w.seen = readFigures{Kinds: map[string][]float64{}}
	return out
}

// run sends reads at even distances, whether those before are answered or not.
func (w *readWork) run(ctx context.Context) {
	tick := time.NewTicker(readEvery / time.Duration(len(w.order.Servers)*len(readKinds)))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		kind, rest := i%len(readKinds), i/len(readKinds)
		go w.read(ctx, kind, w.order.Servers[rest%len(w.order.Servers)], w.order.Paths[rest/len(w.order.Servers)%len(w.order.Paths)])
	}
}

func (w *readWork) read(ctx context.Context, kind int, server, path string) {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	began := time.Now()
	t := &trio{token: w.order.Token}
	_, err := t.get(ctx, w.client, server+path+separator+readKinds[kind].query)
	took := milliseconds(time.Since(began))
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Kinds[readKinds[kind].key] = append(w.seen.Kinds[readKinds[kind].key], took)
	if err != nil {
		if w.seen.Failed++; w.seen.First == "" {
			w.seen.First = err.Error()
		}
	}
}
