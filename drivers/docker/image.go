package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
)

// tellEvery is how often the progress of a long pull is told.
const tellEvery = 15 * time.Second

// errStalled is why a pull without progress was given up.
var errStalled = errors.New("no progress for too long")

// request is an image that a task needs.
type request struct {
	image, auth string
	softFail    bool
	force       bool
	load        string // an archive in the task's local directory
	localDir    string
	timeout     time.Duration
	activity    time.Duration
	tell        func(string)
}

// pulls merges pulls of the same image that are wanted at the same time.
type pulls struct {
	mu     sync.Mutex
	flying map[string]*pull
}

type pull struct {
	done    chan struct{}
	err     error
	cancel  context.CancelFunc
	waiters int
	tellers []func(string)
}

// latest is whether an image is named without saying which one: such a name means another image from time to time.
func latest(image string) bool {
	if strings.Contains(image, "@") {
		return false
	}
	base := image[strings.LastIndex(image, "/")+1:]
	_, tag, tagged := strings.Cut(base, ":")
	return !tagged || tag == "latest"
}

// ensure makes sure that the engine has the image and returns its ID.
func (d *Driver) ensure(ctx context.Context, cli *client.Client, r request) (string, error) {
	if r.load != "" {
		if err := loadImage(ctx, cli, r); err != nil {
			return "", fmt.Errorf("load %q: %w", clip(r.load), err)
		}
	}
	have, err := cli.ImageInspect(ctx, r.image)
	if err != nil && !gone(err) {
		return "", err
	}
	there := err == nil
	if there && !r.force && (r.load != "" || !latest(r.image)) {
		return have.ID, nil
	}
	if r.load != "" {
		return "", fmt.Errorf("the archive %q does not hold the image %q", clip(r.load), clip(r.image))
	}
	if err := d.pulls.pull(ctx, cli, r); err != nil {
		if there && !r.force && ctx.Err() == nil {
			r.tell(fmt.Sprintf("Image %s not pulled anew, the one that is there is used: %v", r.image, err))
			return have.ID, nil
		}
		err = fmt.Errorf("pull image %q: %w", clip(r.image), err)
		if gone(err) {
			return "", &drivers.StartError{Err: err}
		}
		return "", err
	}
	if have, err = cli.ImageInspect(ctx, r.image); err != nil {
		return "", err
	}
	return have.ID, nil
}

// loadImage gives the engine an archive of the task's.
func loadImage(ctx context.Context, cli *client.Client, r request) error {
	root, err := os.OpenRoot(r.localDir)
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := openFile(root, filepath.Clean(r.load))
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	resp, err := cli.ImageLoad(ctx, f, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	defer resp.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp, maxCredentials))
	return err
}

// pull pulls an image, or waits for a pull of it by others. It is given up when nobody waits any more.
func (ps *pulls) pull(ctx context.Context, cli *client.Client, r request) error {
	key := r.image + "\x00" + r.auth
	ps.mu.Lock()
	p := ps.flying[key]
	if p == nil {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeout)
		p = &pull{done: make(chan struct{}), cancel: cancel}
		if ps.flying == nil {
			ps.flying = map[string]*pull{}
		}
		ps.flying[key] = p
		go func() {
			p.err = ps.run(own, cli, r, p)
			cancel()
			ps.mu.Lock()
			if ps.flying[key] == p {
				delete(ps.flying, key)
			}
			ps.mu.Unlock()
			close(p.done)
		}()
	}
	p.waiters++
	p.tellers = append(p.tellers, r.tell)
	ps.mu.Unlock()
	r.tell("Downloading image " + r.image)
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.waiters--; p.waiters == 0 {
		p.cancel()
		if ps.flying[key] == p {
			delete(ps.flying, key) // the next one begins anew
		}
	}
	return ctx.Err()
}

// run follows one pull.
func (ps *pulls) run(ctx context.Context, cli *client.Client, r request, p *pull) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	stalled := time.AfterFunc(r.activity, func() { giveUp(errStalled) })
	defer stalled.Stop()
	resp, err := cli.ImagePull(ctx, r.image, client.ImagePullOptions{RegistryAuth: r.auth})
	if err != nil {
		return pullError(ctx, r, err)
	}
	defer resp.Close()
	progress := layers{}
	told := time.Now()
	for m, err := range resp.JSONMessages(ctx) {
		if err != nil {
			return pullError(ctx, r, err)
		}
		if m.Error != nil {
			return m.Error
		}
		if progress.note(m) {
			stalled.Reset(r.activity)
		}
		if time.Since(told) > tellEvery {
			told = time.Now()
			ps.tell(p, fmt.Sprintf("Downloading image %s: %s", r.image, progress))
		}
	}
	return pullError(ctx, r, ctx.Err())
}

func (ps *pulls) tell(p *pull, text string) {
	ps.mu.Lock()
	tellers := p.tellers[:len(p.tellers):len(p.tellers)]
	ps.mu.Unlock()
	for _, tell := range tellers {
		tell(text)
	}
}

// pullError says which limit ended a pull.
func pullError(ctx context.Context, r request, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStalled):
		return drivers.Recoverable(fmt.Errorf("no progress for %v (pull_activity_timeout)", r.activity))
	case errors.Is(cause, context.DeadlineExceeded):
		return drivers.Recoverable(fmt.Errorf("not done after %v (image_pull_timeout)", r.timeout))
	}
	return err
}

// maxLayers bounds what is remembered of a pull.
const maxLayers = 1000

// layers is how far a pull has got.
type layers map[string]layer

type layer struct {
	status         string
	current, total int64
}

// note takes in what the engine tells, and returns whether there is anything new in it.
func (l layers) note(m jsonstream.Message) bool {
	now := layer{status: m.Status}
	if m.Progress != nil {
		now.current, now.total = m.Progress.Current, m.Progress.Total
	}
	if old, known := l[m.ID]; known && old == now || !known && len(l) >= maxLayers {
		return false
	}
	l[m.ID] = now
	return true
}

// String is for people.
func (l layers) String() string {
	done, all := 0, 0
	var current, total int64
	for id, one := range l {
		if id == "" || strings.HasPrefix(one.status, "Pulling from") {
			continue
		}
		all++
		current, total = current+one.current, total+one.total
		if one.status == "Pull complete" || one.status == "Already exists" {
			done++
		}
	}
	return fmt.Sprintf("%d of %d layers, %.1f of %.1f MiB in work", done, all, float64(current)/(1<<20), float64(total)/(1<<20))
}
