package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 900 * time.Millisecond: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", time.Hour: "1h",
		25*time.Hour + 3*time.Minute: "1d1h", 24*time.Hour + 3*time.Second: "1d", 400 * 24 * time.Hour: "400d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 300 << 20: "300 MiB", 1 << 63: "8192 PiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCutLines(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int64
		want string
		full bool
	}{
		{"a\nb\nc\n", 2, "b\nc\n", true}, {"a\nb\nc", 2, "b\nc", true}, {"a\nb\n", 5, "a\nb\n", false},
		{"", 1, "", false}, {"\n\n\n", 2, "\n\n", true}, {"abc", 1, "abc", false},
	} {
		got, full := cutLines([]byte(c.text), c.n)
		if string(got) != c.want || full != c.full {
			t.Errorf("cutLines(%q, %d) = %q %v, want %q %v", c.text, c.n, got, full, c.want, c.full)
		}
	}
}

// TestLastLines: lines longer than the guess are still found, and a short file
// is read once.
func TestLastLines(t *testing.T) {
	long := strings.Repeat("x", 5000)
	text := "first\n" + long + "\n" + long + "\nlast\n"
	reads := 0
	open := func(_ context.Context, _ bool, origin string, offset int64) (io.ReadCloser, error) {
		reads++
		if origin != "end" {
			t.Errorf("origin %q", origin)
		}
		return io.NopCloser(strings.NewReader(text[max(0, len(text)-int(offset)):])), nil
	}
	got, err := lastLines(t.Context(), open, 2)
	if err != nil || string(got) != long+"\nlast\n" {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	reads = 0
	if got, _ := lastLines(t.Context(), open, 10_000); string(got) != text || reads != 1 {
		t.Errorf("whole file: %d bytes in %d reads", len(got), reads)
	}
}

func TestEscape(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want string
		quit bool
	}{
		{[]string{"ls\r"}, "ls\r", false},
		{[]string{"~."}, "", true},
		{[]string{"ls\r", "~", "."}, "ls\r", true},
		{[]string{"a~."}, "a~.", false},
		{[]string{"~~.\r"}, "~.\r", false},
		{[]string{"~", "x"}, "~x", false},
		{[]string{"~\r~."}, "~\r", true},
	} {
		f := &escapeFilter{character: '~'}
		var got []byte
		quit := false
		for _, in := range c.in {
			out, q := f.filter([]byte(in))
			got, quit = append(got, out...), quit || q
		}
		if string(got) != c.want || quit != c.quit {
			t.Errorf("%q: got %q %v, want %q %v", c.in, got, quit, c.want, c.quit)
		}
	}
	out, quit := (&escapeFilter{}).filter([]byte("~."))
	if string(out) != "~." || quit {
		t.Errorf("without a character: %q %v", out, quit)
	}
}

func TestBatchSize(t *testing.T) {
	for _, c := range []struct {
		text        string
		total, want int
	}{{"1", 10, 1}, {"25%", 10, 3}, {"100%", 7, 7}, {"1%", 7, 1}, {"0", 5, 0}, {"200%", 5, 0}, {"x", 5, 0}} {
		got, err := batchSize(c.text, c.total)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("batchSize(%q, %d) = %d, %v", c.text, c.total, got, err)
		}
	}
}

// TestExec: input reaches the command, output comes back on its own streams,
// and the exit code is the command's.
func TestExec(t *testing.T) {
	alloc := fakeAllocation()
	alloc.Job.TaskGroups[0].Tasks = alloc.Job.TaskGroups[0].Tasks[:1]
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/allocation/{id}", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(alloc) })
	mux.HandleFunc("GET /v1/client/allocation/{id}/exec", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Nomad-Token") != "sesame" {
			http.Error(w, "Permission denied", http.StatusForbidden)
			return
		}
		if got := r.FormValue("command"); got != `["cat","-n"]` || r.FormValue("task") != "server" || r.FormValue("tty") == "true" {
			t.Errorf("request: %v", r.URL)
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		var input []byte
		for {
			_, data, err := c.Read(r.Context())
			if err != nil {
				t.Error(err)
				return
			}
			var in api.ExecInput
			if err := json.Unmarshal(data, &in); err != nil {
				t.Error(err)
			}
			if in.Stdin != nil {
				input = append(input, in.Stdin.Data...)
				if in.Stdin.Close {
					break
				}
			}
		}
		for _, out := range []api.ExecOutput{{}, {Stdout: &api.ExecIO{Data: bytes.ToUpper(input)}}, {Stderr: &api.ExecIO{Data: []byte("oops\n")}}, {Exited: true, Result: &api.ExecExit{ExitCode: 42}}} {
			data, _ := json.Marshal(out)
			_ = c.Write(r.Context(), websocket.MessageText, data)
		}
		_ = c.Close(websocket.StatusNormalClosure, "")
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	run := func(token string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		env := map[string]string{"NOMAD_ADDR": server.URL, "SERAI_TOKEN": token}
		code = Run(t.Context(), []string{"alloc", "exec", "-task", "server", fakeAlloc, "cat", "-n"}, strings.NewReader("hello\n"), &out, &errs, func(n string) string { return env[n] })
		return code, out.String(), errs.String()
	}
	if code, out, errs := run("sesame"); code != 42 || out != "HELLO\n" || errs != "oops\n" {
		t.Errorf("code %d, out %q, err %q", code, out, errs)
	}
	if code, _, errs := run("wrong"); code != 1 || !strings.Contains(errs, "Permission denied") || !strings.Contains(errs, "-token") {
		t.Errorf("denied: code %d, err %q", code, errs)
	}
}

// TestSaveFile: a snapshot appears only when it is whole.
func TestSaveFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.snap")
	if _, err := saveFile(path, copied(io.MultiReader(strings.NewReader("half"), broken{}))); err == nil {
		t.Error("a broken stream is no error")
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
	if n, err := saveFile(path, copied(strings.NewReader("whole"))); n != 5 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

func copied(r io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestJobInit: the examples parse, and nothing is overwritten.
func TestJobInit(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"job", "init", filepath.Join(dir, "long.hcl")}, {"job", "init", "-short", filepath.Join(dir, "short.hcl")}} {
		path := args[len(args)-1]
		var out, errs bytes.Buffer
		if code := Run(t.Context(), args, nil, &out, &errs, func(string) string { return "" }); code != 0 {
			t.Fatal(errs.String())
		}
		if code := Run(t.Context(), args, nil, &out, &errs, func(string) string { return "" }); code != 1 || !strings.Contains(errs.String(), "exists already") {
			t.Errorf("overwritten: %s", errs.String())
		}
		out.Reset()
		errs.Reset()
		if code := Run(t.Context(), []string{"job", "run", "-output", path}, nil, &out, &errs, func(string) string { return "" }); code != 0 {
			t.Errorf("%s: %s", path, errs.String())
		}
		if !strings.Contains(out.String(), `"ID": "example"`) {
			t.Errorf("%s: %s", path, out.String())
		}
		out.Reset()
		if code := Run(t.Context(), []string{"fmt", "-check", path}, nil, &out, &errs, func(string) string { return "" }); code != 0 {
			t.Errorf("%s is not in the canonical layout", path)
		}
	}
}

// TestHelp: every command has help with its name, and no flag is declared without words.
func TestHelp(t *testing.T) {
	paths := commandPaths()
	for _, path := range paths {
		var out, errs bytes.Buffer
		code := Run(t.Context(), append(slices.Clone(path), "-help"), nil, &out, &errs, func(string) string { return "" })
		if code != 0 || !strings.HasPrefix(out.String(), "Usage: serai "+strings.Join(path, " ")) {
			t.Errorf("%v: code %d: %s%s", path, code, out.String(), errs.String())
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if len(line) > 100 {
				t.Errorf("%v: a line of %d characters: %s", path, len(line), line)
			}
		}
	}
	if len(paths) < 80 {
		t.Errorf("only %d commands", len(paths))
	}
}

// commandPaths lists the words of every command that is built.
func commandPaths() [][]string {
	var out [][]string
	var visit func(c *cli.Command, prefix []string)
	visit = func(c *cli.Command, prefix []string) {
		for _, sub := range c.Commands {
			if sub.Refused {
				continue
			}
			path := append(slices.Clone(prefix), sub.Name)
			out = append(out, path)
			visit(sub, path)
		}
	}
	visit(root(), nil)
	return out
}
