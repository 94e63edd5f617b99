package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/seraihq/serai/internal/pause"
)

// told is how many of the jobs that are not placed a stall describes.
const told = 3

// guard ends a load when nothing moves for stuckAfter, and tells what was under
// way then. The context that it gives has the stall as its cause.
func (f *fleet) guard(ctx context.Context, s *server, list []wanted) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancelCause(ctx)
	go func() {
		last, since := f.moved.Load(), time.Now()
		for pause.For(ctx, time.Second) {
			if n := f.moved.Load(); n != last {
				last, since = n, time.Now()
			} else if time.Since(since) > stuckAfter {
				stop(fmt.Errorf("nothing was placed, stopped or reported for %s: %s", stuckAfter, f.stall(s, list)))
			}
		}
	}()
	return ctx, func() { stop(nil) }
}

// stall describes what does not go on, and writes the goroutines of both
// processes to files.
func (f *fleet) stall(s *server, list []wanted) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dumped := s.goroutines(ctx, f.o)
	var text []string
	left := 0
	for _, w := range list {
		j := f.job(w.id)
		if w.never || j.placed.Load() != 0 {
			continue
		}
		if left++; left <= told {
			text = append(text, fmt.Sprintf("%s has %d of %d on nodes (%s)", w.id, j.live.Load(), j.want, s.describe(ctx, w.id)))
		}
	}
	waiting, sending := 0, 0
	for _, n := range f.nodes {
		n.mu.Lock()
		waiting += len(n.pending)
		sending += n.sending
		n.mu.Unlock()
	}
	text = append(text, fmt.Sprintf("%d jobs are not placed; of the reports of nodes %d wait and %d are under way; %d streams broke", left, waiting, sending, f.broken.Load()))
	return strings.Join(append(text, dumped), "; ")
}

// describe tells what the server knows of a job that is not placed.
func (s *server) describe(ctx context.Context, job string) string {
	text, err := s.fetch(ctx, "/v1/job/"+job+"/evaluations")
	var evals []struct{ ID, Status, StatusDescription string }
	if err == nil {
		err = json.Unmarshal(text, &evals)
	}
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, x := range evals {
		out = append(out, strings.TrimSpace("evaluation "+x.ID+" "+x.Status+" "+x.StatusDescription))
	}
	return cmp.Or(strings.Join(out, ", "), "no evaluation")
}

// goroutines writes those of both processes where profiles go, or where
// temporary files do.
func (s *server) goroutines(ctx context.Context, o *options) string {
	dir := cmp.Or(o.Profile, os.TempDir())
	var own bytes.Buffer
	err := pprof.Lookup("goroutine").WriteTo(&own, 1)
	theirs, failed := s.fetch(ctx, "/debug/pprof/goroutine?debug=1")
	if failed != nil { // it does not even answer
		_, failed = s.Stop(syscall.SIGQUIT)
		theirs = []byte(s.Log())
	}
	err = errors.Join(err, failed,
		os.WriteFile(filepath.Join(dir, "scale-stall-server.txt"), theirs, 0o600),
		os.WriteFile(filepath.Join(dir, "scale-stall-clients.txt"), own.Bytes(), 0o600))
	if err != nil {
		return "the goroutines could not all be written: " + err.Error()
	}
	return "goroutines of both are in " + filepath.Join(dir, "scale-stall-*.txt")
}
