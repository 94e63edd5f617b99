package driverset

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seraihq/serai/drivers/builtin"
	"github.com/seraihq/serai/drivers/plugin"
)

// discover starts each external driver that the operator has configured, learns its name, and puts it into the set.
func (s *Set) discover(ctx context.Context) {
	defer close(s.discovered)
	files := s.candidates()
	for name := range s.cfg.Plugins {
		if _, builtIn := builtin.Lookup(name); !builtIn && files[name] == "" {
			s.logger.Warn("a plugin block names neither a built-in driver nor a file in plugin_dir", "plugin", name, "plugin_dir", s.cfg.PluginDir)
		}
	}
	for file, path := range files {
		if err := s.load(ctx, file, path); err != nil {
			s.logger.Error("external driver not loaded", "plugin", file, "err", err)
		}
	}
}

// candidates are the executable files of plugin_dir that have a plugin block, by name.
func (s *Set) candidates() map[string]string {
	out := map[string]string{}
	if s.cfg.PluginDir == "" {
		return out
	}
	dir, err := filepath.Abs(s.cfg.PluginDir)
	if err != nil {
		s.logger.Error("plugin_dir cannot be read", "err", err)
		return out
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Error("plugin_dir cannot be read", "err", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		// A symbolic link could lead anywhere: only a file that lies here itself is run.
		st, err := os.Lstat(path)
		if err != nil || !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
			continue
		}
		if _, configured := s.cfg.Plugins[e.Name()]; !configured {
			s.logger.Info("file in plugin_dir is not started: it has no plugin block", "plugin", e.Name())
			continue
		}
		out[e.Name()] = path
	}
	return out
}

// load starts an external driver and adds it under the name that it gives itself.
func (s *Set) load(ctx context.Context, file, path string) error {
	h := newHost(s, file)
	h.external = true
	h.launch = func(ctx context.Context) (backend, error) {
		return h.start(ctx, plugin.Options{Name: file, Path: path, Args: s.cfg.Args[file], Dir: s.cfg.Dir, Logger: h.logger})
	}
	b, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.done()
	// The name by which its process is found again stays that of the file.
	h.describe = b.driver()
	name := b.Info().Name
	if known, there := s.lookup(name); there && !newer(b.Info().Version, known.Info().Version) {
		s.logger.Warn("external driver is not newer than the built-in one of its name, which is kept", "driver", name, "plugin", file)
		h.release()
		return b.Kill()
	}
	s.mu.Lock()
	s.hosts[name] = h
	s.mu.Unlock()
	s.wg.Go(func() { s.follow(ctx, h, name) })
	return nil
}

// newer compares dotted versions by their numbers.
func newer(a, b string) bool {
	as, bs := strings.Split(strings.TrimPrefix(a, "v"), "."), strings.Split(strings.TrimPrefix(b, "v"), ".")
	for i := range max(len(as), len(bs)) {
		x, y := part(as, i), part(bs, i)
		if x != y {
			return x > y
		}
	}
	return false
}

func part(list []string, i int) int {
	if i >= len(list) {
		return 0
	}
	digits, _, _ := strings.Cut(list[i], "-")
	n, _ := strconv.Atoi(digits)
	return n
}
