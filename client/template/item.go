package template

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/template/render"
)

// kept is what is known of a template over a restart of the agent: digests of
// what it was made from and of what was made, and the files that it has read.
type kept struct {
	In    string
	Out   string
	Files []string `json:",omitempty"`
}

// item is one template of a task.
type item struct {
	*api.Template
	key    string // in what is kept
	dest   place
	source place
	mode   fs.FileMode
	uid    int
	gid    int

	last  kept              // of the last render
	saved kept              // of the last one that the task was told of
	vars  map[string]string // of a template for the environment

	seen    map[place]stamp // files that the last render has read
	missing string          // a file that it wanted and that is not there
	first   time.Time       // of the changes since then
	latest  time.Time
	rest    time.Time     // no render before
	pause   time.Duration // after the last one, when it failed
	told    string        // the last error that was told
}

func (m *Manager) newItem(t *api.Template) (*item, error) {
	it := &item{Template: t, uid: m.cfg.UID, gid: m.cfg.GID, seen: map[place]stamp{}}
	var err error
	if it.dest, err = m.locate(m.cfg.Host(t.DestPath)); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "template: destination: %v", err)
	}
	if it.dest.top == "" {
		return nil, api.Errorf(api.ErrInvalid, "template: destination %q leaves the task's directory", t.DestPath)
	}
	it.key = it.dest.top + "/" + it.dest.path
	if t.EmbeddedTmpl == "" {
		if it.source, err = m.locate(m.cfg.Host(t.SourcePath)); err != nil {
			return nil, api.Errorf(api.ErrInvalid, "template %q: source: %v", t.DestPath, err)
		}
	}
	mode, ok := api.ParsePerms(t.Perms)
	if t.Perms == "" {
		mode, ok = 0o644, true
	}
	if !ok {
		return nil, api.Errorf(api.ErrInvalid, "template %q: perms %q is not a mode from 0000 to 0777", t.DestPath, t.Perms)
	}
	it.mode = fs.FileMode(mode)
	if t.Uid != nil && *t.Uid >= 0 {
		it.uid = *t.Uid
	}
	if t.Gid != nil && *t.Gid >= 0 {
		it.gid = *t.Gid
	}
	if text := m.cfg.Before[it.key]; text != "" && json.Unmarshal([]byte(text), &it.saved) == nil {
		it.last = it.saved
	}
	return it, nil
}

// text gives the template itself.
func (m *Manager) text(it *item) ([]byte, error) {
	if it.EmbeddedTmpl != "" {
		return []byte(it.EmbeddedTmpl), nil
	}
	data, st, err := m.read(it.source)
	it.seen[it.source] = st
	if errors.Is(err, api.ErrNotFound) {
		it.missing = it.SourcePath
	}
	if err == nil && len(data) > api.MaxTemplateSize {
		err = fmt.Errorf("the template of %d bytes is larger than %d", len(data), api.MaxTemplateSize)
	}
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	return data, nil
}

// input gathers what a render is made from, into one digest.
type input struct{ sum []byte }

func (in *input) add(parts ...[]byte) {
	h := sha256.New()
	h.Write(in.sum)
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	in.sum = h.Sum(nil)
}

func (m *Manager) newInput(it *item, text []byte) *input {
	in := &input{}
	in.add(text, []byte(it.LeftDelim), []byte(it.RightDelim), fmt.Append(nil, it.ErrMissingKey))
	for _, k := range slices.Sorted(maps.Keys(m.cfg.Env)) {
		in.add([]byte(k), []byte(m.cfg.Env[k]))
	}
	return in
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// render renders a template and writes its file where that is another than it
// was. It gives whether the contents are others than before.
func (m *Manager) render(ctx context.Context, it *item) (changed bool, err error) {
	it.seen, it.missing, it.first = map[place]stamp{}, "", time.Time{}
	now := kept{}
	text, err := m.text(it)
	if err != nil {
		return false, err
	}
	in := m.newInput(it, text)
	out, err := m.cfg.Service.pool.Render(ctx, &render.Job{
		Text: text, Left: it.LeftDelim, Right: it.RightDelim, MissingKey: it.ErrMissingKey, Env: m.cfg.Env,
		File: func(name string) ([]byte, error) {
			now.Files = append(now.Files, name)
			data, err := m.readFor(it, name)
			in.add([]byte(name), data)
			return data, err
		},
	})
	if err != nil {
		return false, err
	}
	now.In, now.Out = hex.EncodeToString(in.sum), digest(out)
	if it.Envvars {
		if it.vars, err = parseEnv(out); err != nil {
			return false, err
		}
	}
	changed = it.last.Out != "" && it.last.Out != now.Out
	if it.last.Out != now.Out || m.look(it.dest) == (stamp{}) {
		if err := m.write(it, out); err != nil {
			return false, err
		}
	}
	it.last = now
	return changed, nil
}

// readFor reads a file that a template asks for, and follows it from then on.
func (m *Manager) readFor(it *item, name string) ([]byte, error) {
	p, err := m.locate(name)
	if err != nil {
		return nil, err
	}
	data, st, err := m.read(p)
	it.seen[p] = st
	if errors.Is(err, api.ErrNotFound) {
		it.missing = name
	}
	return data, err
}

// same says whether a render would come from the very things that the last one
// came from, and what it made is still there. It reads the files, and renders nothing.
func (m *Manager) same(it *item) bool {
	if it.last.Out == "" {
		return false
	}
	it.seen = map[place]stamp{}
	text, err := m.text(it)
	if err != nil {
		return false
	}
	in := m.newInput(it, text)
	for _, name := range it.last.Files {
		data, err := m.readFor(it, name)
		if err != nil {
			return false
		}
		in.add([]byte(name), data)
	}
	if hex.EncodeToString(in.sum) != it.last.In {
		return false
	}
	if !it.Envvars {
		return m.look(it.dest) != stamp{}
	}
	// The variables are taken from the file, when it is as it was written.
	data, _, err := m.read(it.dest)
	if err != nil || digest(data) != it.last.Out {
		return false
	}
	it.vars, err = parseEnv(data)
	return err == nil
}

func (m *Manager) write(it *item, data []byte) error {
	root, err := m.root(it.dest.top)
	if err != nil {
		return err
	}
	defer root.Close()
	for i := len(it.dest.path) - 1; i > 0; i-- {
		if it.dest.path[i] == '/' {
			if err := root.MkdirMissing(it.dest.path[:i], 0o755, -1, -1); err != nil {
				return fmt.Errorf("destination: %w", err)
			}
			break
		}
	}
	if err := root.ReplaceFile(it.dest.path, data, it.mode, it.uid, it.gid); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	return nil
}

// follows says whether a change of a file would change the template's output.
func (it *item) follows() bool { return !it.Once && len(it.seen) > 0 }
