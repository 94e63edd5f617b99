package driverset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers/builtin"
	"github.com/seraihq/serai/drivers/plugin"
)

// retryMost is the longest pause after which a plugin that cannot be started is tried again: what it needs may come up later than the agent.
const retryMost = 5 * time.Minute

// discover starts each external driver that the operator has configured, learns its name, and puts it into the set. Those that cannot be
// started are tried again until ctx ends.
func (s *Set) discover(ctx context.Context) {
	files, refused := s.candidates()
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Plugins)) {
		if _, builtIn := builtin.Lookup(name); builtIn || files[name] != "" {
			continue
		}
		if why := refused[name]; why != "" {
			s.logger.Error("external driver not loaded: "+why, "plugin", name, "plugin_dir", s.cfg.PluginDir)
			continue
		}
		s.logger.Warn("a plugin block names neither a built-in driver nor a file in plugin_dir", "plugin", name, "plugin_dir", s.cfg.PluginDir)
	}
	var (
		mu     sync.Mutex // guards loaded and late
		loaded = make([]*host, len(files))
		late   bool
		all    sync.WaitGroup
	)
	for i, file := range slices.Sorted(maps.Keys(files)) {
		all.Go(func() {
			h, err := s.load(ctx, file, files[file])
			if err != nil {
				s.notLoaded(ctx, file, files[file], err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if loaded[i] = h; late {
				s.add(ctx, h)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(s.cfg.LoadPatience):
	}
	mu.Lock()
	late = true
	for _, h := range loaded { // in order, so that a tie always ends the same way
		if h != nil {
			s.add(ctx, h)
		}
	}
	mu.Unlock()
	<-done
	close(s.discovered)
}

// notLoaded tries a plugin again in the background.
func (s *Set) notLoaded(ctx context.Context, file, path string, err error) {
	s.logger.Error("external driver not loaded", "plugin", file, "err", err, "again_in", s.cfg.RetryFirst)
	s.wg.Go(func() {
		for wait := s.cfg.RetryFirst; ; wait = min(2*wait, retryMost) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			h, err := s.load(ctx, file, path)
			if err == nil {
				s.add(ctx, h)
				return
			}
			s.logger.Warn("external driver still not loaded", "plugin", file, "err", err)
		}
	})
}

// candidates are the files of plugin_dir that have a plugin block, by name, and why others with one are not started.
func (s *Set) candidates() (out, refused map[string]string) {
	out, refused = map[string]string{}, map[string]string{}
	if s.cfg.PluginDir == "" {
		return out, refused
	}
	dir, err := filepath.Abs(s.cfg.PluginDir)
	if err != nil {
		s.logger.Error("plugin_dir cannot be read", "err", err)
		return out, refused
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Error("plugin_dir cannot be read", "err", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		st, err := os.Lstat(path)
		if err != nil {
			continue
		}
		why := unfit(st)
		if _, configured := s.cfg.Plugins[e.Name()]; !configured {
			if why == "" {
				s.logger.Info("file in plugin_dir is not started: it has no plugin block", "plugin", e.Name())
			}
			continue
		}
		if why != "" {
			refused[e.Name()] = why
			continue
		}
		out[e.Name()] = path
	}
	return out, refused
}

// unfit says why a file of plugin_dir is not run, and what to do; empty when it may be.
func unfit(st fs.FileInfo) string {
	switch mode := st.Mode(); {
	case mode&fs.ModeSymlink != 0: // it could lead anywhere
		return "it is a symbolic link; put the file itself there"
	case !mode.IsRegular():
		return "it is not a file"
	case mode&0o111 == 0:
		return "it is not executable; chmod +x it"
	case mode&0o002 != 0:
		return "everybody may write to its file; chmod o-w it"
	}
	return ""
}

// endStrays ends processes of an external driver that an earlier agent has started and was killed before it could write down. Built-in ones notice by
// themselves.
func (h *host) endStrays(opts plugin.Options) {
	if h.set.cfg.Store == nil {
		return
	}
	kept, err := h.set.cfg.Store.LoadDriver(h.name)
	if err != nil {
		return // which of them is known cannot be told
	}
	if ended := plugin.EndStrays(opts, kept); len(ended) > 0 {
		h.logger.Warn("processes of the driver that an earlier agent did not write down were ended", "pids", ended)
	}
}

// load starts an external driver and asks it who it is. The name by which its process is found again is that of the file.
func (s *Set) load(ctx context.Context, file, path string) (*host, error) {
	h := newHost(s, file)
	h.external, h.path = true, path
	opts := plugin.Options{Name: file, Path: path, Args: s.cfg.Args[file], Dir: s.cfg.Dir, Logger: h.logger}
	h.launch = func(ctx context.Context) (backend, error) { return h.start(ctx, opts) }
	h.endStrays(opts)
	b, err := h.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer h.done()
	h.describe = b.driver()
	if name := b.Info().Name; name == "" {
		h.release()
		return nil, fmt.Errorf("plugin %q: it gives no name", file)
	}
	return h, nil
}

// add puts an external driver into the set under the name that it gives itself. Of drivers of one name the newest is used.
func (s *Set) add(ctx context.Context, h *host) {
	info := h.Info()
	s.mu.Lock()
	known, there := s.hosts[info.Name]
	if there && !newer(info.Version, known.Info().Version) {
		s.mu.Unlock()
		s.logger.Warn("external driver is not newer than the one of its name, which is kept", "driver", info.Name, "plugin", h.name,
			"version", info.Version, "kept", known.Info().Version)
		h.release()
		return
	}
	s.hosts[info.Name] = h
	s.mu.Unlock()
	if there && known.external {
		known.release()
	}
	s.logger.Info("external driver loaded", "driver", info.Name, "version", info.Version, "plugin", h.name)
	s.wg.Go(func() { s.follow(ctx, h, info.Name) })
}
