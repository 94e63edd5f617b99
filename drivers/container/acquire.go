package container

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
)

// progressEvery and progressSlowest are how often a task's events tell how far its image is: less and less often, or a long pull would push all else
// out of the events.
const (
	progressEvery   = 5 * time.Second
	progressSlowest = time.Minute
)

// openStore opens the image store that the configuration describes.
func openStore(c config, logger *slog.Logger) (images, error) {
	return image.Open(c.ImageDir, image.Options{Logger: logger, AuthFile: c.Auth.Config, AuthHelper: c.Auth.Helper, Insecure: c.Insecure,
		Mirrors: c.Mirrors, Allow: c.AllowImages, CAFile: c.CAFile, ActivityTimeout: time.Duration(c.PullActivity)})
}

// acquire gets the task's image, by whatever it takes, and tells the task's events how it goes.
func (d *Driver) acquire(ctx context.Context, store images, p *plan) (*image.Image, error) {
	req, err := p.request()
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(p.opts.PullTimeout)
	if timeout == 0 {
		timeout = time.Duration(p.settings.PullTimeout)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it took longer than image_pull_timeout, %v", timeout))
	defer cancel()
	img, err := store.Acquire(ctx, p.task.ID, req, d.progress(p))
	if errors.Is(err, image.ErrNoSpace) && d.makeRoom(ctx, store, p) {
		img, err = store.Acquire(ctx, p.task.ID, req, d.progress(p))
	}
	switch {
	case err == nil:
		return img, nil
	case ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if image.Recoverable(err) {
		return nil, drivers.Recoverable(err)
	}
	return nil, err
}

// makeRoom removes the images that no task uses when one does not fit, and says whether there were any.
func (d *Driver) makeRoom(ctx context.Context, store images, p *plan) bool {
	if !p.settings.GC.Image {
		return false
	}
	gone, err := store.Collect(ctx, image.CollectOptions{})
	if err != nil {
		d.Logger.Warn("images cannot be collected", "err", err)
	}
	if len(gone.Images) == 0 {
		return false
	}
	d.Logger.Info("unused images are removed: there was no space for another", "images", len(gone.Images), "layers", gone.Layers)
	d.Tell(p.task, fmt.Sprintf("No space for image %s: unused images are removed (%d), and it is tried again", p.opts.Image, len(gone.Images)))
	return true
}

// request is what the job asks of the image store.
func (p *plan) request() (image.Request, error) {
	o := p.opts
	req := image.Request{Ref: o.Image, AuthSoftFail: o.AuthSoftFail, ForcePull: o.ForcePull}
	if o.Load != "" {
		inside, err := beneathTask(p.task, o.Load)
		if err != nil {
			return req, fmt.Errorf("load: %w", err)
		}
		req.Load, req.LoadRoot = inside, p.task.AllocDir
	}
	if o.Auth.Username == "" && o.Auth.Password == "" {
		return req, nil
	}
	if server := registry(o.Auth.ServerAddress); o.Auth.ServerAddress != "" && server != registryOf(o.Image) {
		return req, fmt.Errorf("auth is for %s, and the image is at %s: the password is not sent there", server, registryOf(o.Image))
	}
	req.Auth = &image.Auth{Username: o.Auth.Username, Password: o.Auth.Password}
	return req, nil
}

// registry is the host of a registry's address, which may be written as a URL. All names of Docker's own are one.
func registry(address string) string {
	_, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		rest = address
	}
	host, _, _ := strings.Cut(rest, "/")
	switch host {
	case "index.docker.io", "registry-1.docker.io", "hub.docker.com", "":
		return "docker.io"
	}
	return host
}

// registryOf is the registry of an image: the first part of its name when that looks like a host.
func registryOf(ref string) string {
	first, _, more := strings.Cut(ref, "/")
	if !more || !(strings.ContainsAny(first, ".:") || first == "localhost") {
		return "docker.io"
	}
	return registry(first)
}

// progress tells the task's events about a pull, not too often.
func (d *Driver) progress(p *plan) func(image.Progress) {
	var last time.Time
	var wait time.Duration
	looked, told := false, false
	return func(now image.Progress) {
		switch {
		case now.Phase == image.PhaseResolve && !looked:
			looked = true
			d.Tell(p.task, "Looking for image "+p.opts.Image)
		case now.Phase == image.PhasePull && time.Since(last) >= wait:
			last, told = time.Now(), true
			wait = min(max(2*wait, progressEvery), progressSlowest)
			d.Tell(p.task, fmt.Sprintf("Downloading image %s: %d of %d layers ready, %s of %s", p.opts.Image, now.Ready, now.Layers,
				megabytes(now.Bytes), megabytes(now.Total)))
		case now.Phase == image.PhaseDone && (told || now.Bytes > 0):
			d.Tell(p.task, fmt.Sprintf("Downloaded image %s, %s", p.opts.Image, megabytes(now.Bytes)))
		}
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
