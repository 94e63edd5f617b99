package image

import (
	"log/slog"
	"time"
)

// Options is how a store is set up. Zero values mean the defaults.
type Options struct {
	Logger *slog.Logger
	// Limits on what an image may be.
	Limits Limits
	// AuthFile is a docker config file (config.json); its credHelpers and credsStore are used too.
	AuthFile string
	// AuthHelper is the X of docker-credential-X, asked for every registry before AuthFile.
	AuthHelper string
	// Insecure are registries ("host" or "host:port") that may be spoken to over plain HTTP, and whose certificates are not checked.
	Insecure []string
	// Mirrors tells for a registry ("docker.io", "host:port") which others to ask first, in order ("mirror.example:5000", or with a path
	// that the repository's name is put behind). The registry itself is asked last.
	Mirrors map[string][]string
	// Allow, when not empty, are the images that may be used: prefixes of the full name such as "docker.io/library/" or "registry.example/".
	Allow []string
	// CAFile holds further certificates to trust, in PEM.
	CAFile string
	// ActivityTimeout ends a transfer that brings nothing for so long; default 2 minutes.
	ActivityTimeout time.Duration
	// Parallel is how many layers of one image are fetched at once; default 3.
	Parallel int
}

// Limits bound what an image may make the node do. Zero means the default.
type Limits struct {
	// Manifest is the size of a manifest, an index or a configuration, in bytes; default 4 MiB.
	Manifest int64
	// Layers is how many an image may have; default 127, which is what overlayfs and others allow.
	Layers int
	// Layer is the size of one layer, compressed or not, holes included; default 32 GiB.
	Layer int64
	// Image is the size of all layers, unpacked; default 64 GiB.
	Image int64
	// Files is how many entries the layers of an image may have together; default 2 million.
	Files int64
	// Spare is what must stay free on the filesystem, in bytes; default 64 MiB.
	Spare int64
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

func (l Limits) withDefaults() Limits {
	l.Manifest = or(l.Manifest, 4*mib)
	l.Layers = or(l.Layers, 127)
	l.Layer = or(l.Layer, 32*gib)
	l.Image = or(l.Image, 64*gib)
	l.Files = or(l.Files, 2_000_000)
	l.Spare = or(l.Spare, 64*mib)
	return l
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	o.ActivityTimeout = or(o.ActivityTimeout, 2*time.Minute)
	o.Parallel = or(o.Parallel, 3)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// or is v, or what stands in for it when it is not above zero.
func or[T int | int64 | time.Duration](v, instead T) T {
	if v > 0 {
		return v
	}
	return instead
}
