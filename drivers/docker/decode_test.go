package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// entries are frames of the engine's log.
func entries(stream byte, texts ...string) []byte {
	var out []byte
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for i, text := range texts {
		body := at.Add(time.Duration(i)).Format("2006-01-02T15:04:05.000000000Z07:00") + " " + text
		out = append(out, stream, 0, 0, 0)
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		out = append(out, body...)
	}
	return out
}

// TestPositions goes through the places where a process can be killed around a write.
func TestPositions(t *testing.T) {
	j := newJob(t, "", nil)
	pipe, err := os.OpenFile(j.StdoutPath, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	pipes := [2]*os.File{pipe, nil}
	open := func() *positions {
		t.Helper()
		p, err := openPositions(j.TaskConfig, pipes)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.close)
		return p
	}
	write := func() {
		t.Helper()
		if _, err := pipe.WriteString("x"); err != nil {
			t.Fatal(err)
		}
	}
	p := open()
	if !p.since().IsZero() {
		t.Fatal(p)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	none, first := position{}, position{}.plus(at, 10)
	second := first.plus(at, 5)
	if second.bytes != 15 || second.plus(at.Add(1), 2).bytes != 2 {
		t.Errorf("%+v", second)
	}
	p.intend(stdout, int(pipe.Fd()), first)
	if got := open().pos[stdout]; got != none {
		t.Errorf("killed before the first write: %+v", got)
	}
	write()
	if got := open().pos[stdout]; !got.at.Equal(at) || got.bytes != 10 {
		t.Errorf("killed after the first write: %+v", got)
	}
	p.pos[stdout] = first
	mark := unix.Timeval{Sec: int64(p.seq[stdout]) + 1}
	if err := unix.Futimes(int(pipe.Fd()), []unix.Timeval{mark, mark}); err != nil {
		t.Fatal(err)
	}
	if got := open().pos[stdout]; got.bytes != 10 {
		t.Errorf("killed before the second was put down: %+v", got)
	}
	p.intend(stdout, int(pipe.Fd()), second)
	if got := open().pos[stdout]; got.bytes != 10 {
		t.Errorf("killed before the second write: %+v", got)
	}
	write()
	last := open()
	if got := last.pos[stdout]; got.bytes != 15 {
		t.Errorf("killed after the second write: %+v", got)
	}
	// A stream that is silent does not make the whole log come again.
	last.pos[stderr] = position{at: at.Add(-time.Hour), bytes: 3}
	if since := last.since(); !since.Equal(at.Add(-slack)) {
		t.Errorf("since %v", since)
	}
	if _, err := p.file.WriteAt([]byte("torn"), 8); err != nil {
		t.Fatal(err)
	}
	if got := open().pos[stdout]; got != none {
		t.Errorf("a torn record is used: %+v", got)
	}
}

func TestFramesGoOnWhereTheyStopped(t *testing.T) {
	text := append(entries(1, "one\n", "two\n"), entries(2, "err\n")...)
	l := &logReader{pos: &positions{}}
	if err := l.frames(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	first := l.pos.pos
	l.had = l.pos.pos
	if err := l.frames(bytes.NewReader(text)); err != nil || l.pos.pos != first {
		t.Errorf("the same again moved the position: %+v, %v", l.pos.pos, err)
	}
	for name, bad := range map[string][]byte{
		"huge": {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, "stream": {9, 0, 0, 0, 0, 0, 0, 1, 'x'}, "no time": {1, 0, 0, 0, 0, 0, 0, 3, 'a', 'b', 'c'},
	} {
		if err := l.frames(bytes.NewReader(bad)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := l.frames(bytes.NewReader(text[:20])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut stream: %v", err)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(entries(1, "one\n"))
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(_ *testing.T, text []byte) {
		l := &logReader{pos: &positions{}}
		_ = l.frames(bytes.NewReader(text))
		_ = l.lines(bytes.NewReader(text))
	})
}

func TestStamps(t *testing.T) {
	for _, text := range []string{"2026-01-02T03:04:05.000000006Z", "2026-12-31T23:59:59.999999999Z", "2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.000000006+02:00"} {
		want, err := time.Parse(time.RFC3339Nano, text)
		if got, gotErr := parseStamp([]byte(text)); err != nil || gotErr != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, gotErr)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-01-02T03:04:05.00000000xZ", "2026/01/02T03:04:05.000000006Z"} {
		if got, err := parseStamp([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestHoldBack(t *testing.T) {
	stamp := []byte("2026-01-02T03:04:05.000000006Z ")
	for _, cut := range []int{1, 5, len(stamp) - 1} {
		now, later := holdBack([]byte("text"+string(stamp[:cut])), stamp)
		if string(now) != "text" || string(later) != string(stamp[:cut]) {
			t.Errorf("%q %q", now, later)
		}
	}
	if now, later := holdBack([]byte("text"), stamp); string(now) != "text" || len(later) != 0 {
		t.Errorf("%q %q", now, later)
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add([]byte(`{"auths":{"h":{"auth":"dTpw"}},"credHelpers":{"x":"y"},"credsStore":"z"}`), "h")
	f.Fuzz(func(t *testing.T, text []byte, server string) {
		file, err := parseCredentials(text)
		if err != nil {
			return
		}
		_, _ = file.helper(server)
		if a, err := file.lookup(server); err == nil && a != nil && a.Username == "" && a.Password == "" && a.IdentityToken == "" && a.RegistryToken == "" {
			t.Errorf("empty credentials: %+v", a)
		}
	})
}

func FuzzTaskConfig(f *testing.F) {
	f.Add("local/x:/y:ro", "host", "nofile", "1:2", "8.8.8.8")
	f.Fuzz(func(t *testing.T, volume, mode, limit, value, server string) {
		if !utf8.ValidString(volume + mode + limit + value + server) {
			return
		}
		cfg := &drivers.TaskConfig{ID: "a/b/c", Name: "web", AllocID: "a", AllocDir: "/alloc-dir", Config: map[string]any{
			"image": "x", "volumes": []any{volume}, "pid_mode": mode, "ulimit": map[string]any{limit: value}, "dns_servers": []any{server}, "cpuset_cpus": value,
		}}
		cfg.Resources.Cpuset = "0-3"
		c, err := decodeConfig(nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPlan(cfg, c, facts{cpus: 2, apiVersion: "1.41"})
		if err != nil {
			return
		}
		for _, m := range p.host.Mounts {
			if !strings.HasPrefix(m.Source, "/alloc-dir/") {
				t.Errorf("%q mounts %q", volume, m.Source)
			}
		}
		for _, s := range p.staged {
			if !strings.HasPrefix(s.root, "/alloc-dir/") || s.rel == "private" || strings.HasPrefix(s.rel, "private/") {
				t.Errorf("%q mounts %q in %q", volume, s.rel, s.root)
			}
		}
		if p.host.PidMode != "" && len(p.siblings) == 0 && p.host.PidMode != "shareable" && p.host.PidMode != "none" {
			t.Errorf("pid_mode %q", p.host.PidMode)
		}
	})
}

func TestPauseProgram(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		b, err := pauseProgram(arch)
		if err != nil || len(b) > 200 || !bytes.HasPrefix(b, []byte("\x7fELF")) {
			t.Errorf("%s: %d bytes, %v", arch, len(b), err)
		}
	}
	if _, err := pauseProgram("riscv64"); err == nil || !strings.Contains(err.Error(), "infra_image") {
		t.Error(err)
	}
}

func TestPasswd(t *testing.T) {
	text := "root:x:0:0::/:/bin/sh\nweb:x:1000:1001::/:\nbad:x:-1:5::/:\nhuge:x:4294967296:0::/:\n"
	if uid, gid, err := parsePasswd(strings.NewReader(text), "web"); err != nil || uid != 1000 || gid != 1001 {
		t.Error(uid, gid, err)
	}
	for _, name := range []string{"bad", "huge", "none"} {
		if uid, _, err := parsePasswd(strings.NewReader(text), name); err == nil {
			t.Error(name, uid)
		}
	}
}

func TestCredentialNames(t *testing.T) {
	for _, c := range []struct {
		known, server string
		same          bool
	}{{hub(), shortHub(), true}, {"http://h:5000/v1", "h:5000", true}, {"h", "h.evil", false}, {"h", shortHub(), false}} {
		if sameRegistry(c.known, c.server) != c.same {
			t.Error(fmt.Sprint(c))
		}
	}
	if registryOf("a") != shortHub() || registryOf("a/b") != shortHub() || registryOf("h:5000/b") != "h:5000" || registryOf("localhost/b") != "localhost" {
		t.Error("registries of names")
	}
}
