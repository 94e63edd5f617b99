package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// sample is a small program with every kind of command and flag.
func sample(stdout, stderr *bytes.Buffer, env map[string]string) *Program {
	var (
		loud    bool
		count   = 3
		wait    time.Duration
		labels  []string
		index   *uint64
		perhaps *bool
		format  Format
	)
	show := &Command{
		Name: "show", Synopsis: "Show things", Usage: "[options] <thing>...", Min: 1, Max: -1,
		Help: "Shows things, one after the other, in words that are many enough to be wrapped over more than one line of the help.\n\n  sample thing show -loud a b   an example stays as it is\n\nAnd a last paragraph.",
		Define: func(f *Flags) {
			f.Bool(&loud, "loud", "Shout.")
			f.Int(&count, "count", "<n>", "How often.")
			f.Duration(&wait, "wait", "<duration>", "How long between two.")
			f.Strings(&labels, "label", "<text>", "A label. May be given many times.")
			f.Index(&index, "at", "<index>", "Only at this index.")
			f.OptionalBool(&perhaps, "perhaps", "Yes, no or nothing.")
			f.Ignore("old", "<text>")
			format.Define(f)
		},
		Complete: func(_ context.Context, _ *Invocation, args []string) []string {
			return []string{fmt.Sprintf("apple%d", len(args)), "pear"}
		},
		Run: func(_ context.Context, inv *Invocation) error {
			at := "nil"
			if index != nil {
				at = fmt.Sprint(*index)
			}
			maybe := "nil"
			if perhaps != nil {
				maybe = fmt.Sprint(*perhaps)
			}
			inv.Printf("%v loud=%v count=%d wait=%v labels=%v at=%s perhaps=%s address=%s", inv.Args, loud, count, wait, labels, at, maybe, inv.Conn.Address)
			return nil
		},
	}
	run := &Command{
		Name: "run", Synopsis: "Run another program", Usage: "[options] <program> [<argument>...]", Min: 1, Max: -1, StopAtArgument: true, Offline: true,
		Define: func(f *Flags) { f.Bool(&loud, "loud", "Shout.") },
		Run: func(_ context.Context, inv *Invocation) error {
			inv.Printf("%q loud=%v", inv.Args, loud)
			return ExitCode(7)
		},
	}
	fail := &Command{Name: "fail", Synopsis: "Fail", Offline: true, Run: func(context.Context, *Invocation) error { return errors.New("it broke") }}
	return &Program{
		Root: &Command{Name: "sample", Help: "A sample.", Commands: []*Command{
			{Name: "thing", Synopsis: "Things", Commands: []*Command{show}}, run, fail,
			{Name: "secret", Synopsis: "Not listed", Hidden: true, Offline: true, Run: func(context.Context, *Invocation) error { return nil }},
			{Name: "later", Refused: true, Hidden: true},
		}},
		Version: func() string { return "sample 1" },
		Stdin:   strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		Getenv:  func(name string) string { return env[name] },
		Explain: func(err error) (string, string) { return err.Error(), "Try again." },
	}
}

func call(t *testing.T, line string, env map[string]string) (int, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := sample(&out, &errs, env).Run(t.Context(), strings.Fields(line))
	return code, out.String() + errs.String()
}

func TestFlags(t *testing.T) {
	usage := "\nUsage: sample thing show [options] <thing>...\nRun \"sample thing show -help\" for more.\n"
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"thing show a", "[a] loud=false count=3 wait=0s labels=[] at=nil perhaps=nil address=env\n", 0},
		{"thing show -loud a --count 5 b -wait=2s", "[a b] loud=true count=5 wait=2s labels=[] at=nil perhaps=nil address=env\n", 0},
		{"thing show --label=x a -label y -at 0 -perhaps=false -address flag", "[a] loud=false count=3 wait=0s labels=[x y] at=0 perhaps=false address=flag\n", 0},
		{"thing show -perhaps -old x -- -loud", "[-loud] loud=false count=3 wait=0s labels=[] at=nil perhaps=true address=env\n", 0},
		{"thing show -loud=false - -1", "[- -1] loud=false count=3 wait=0s labels=[] at=nil perhaps=nil address=env\n", 0},
		{"thing show", "Error: this command takes at least one argument, not 0\n" + usage, 1},
		{"thing show -laud a", "Error: unknown flag -laud; did you mean -loud?\n" + usage, 1},
		{"thing show -zzzzzz a", "Error: unknown flag -zzzzzz\n" + usage, 1},
		{"thing show a -count", "Error: -count needs a value\n" + usage, 1},
		{"thing show -count x a", "Error: -count: \"x\": not a value of the right kind\n" + usage, 1},
		{"thing show -loud=maybe a", "Error: -loud: \"maybe\": not a value of the right kind\n" + usage, 1},
		{"thing show -at -3 a", "Error: -at: \"-3\": not a whole number of 0 or more\n" + usage, 1},
		{"run -loud ls -loud -x", "[\"ls\" \"-loud\" \"-x\"] loud=true\n", 7},
		{"run -- -x", "[\"-x\"] loud=false\n", 7},
		{"run -address x ls", "Error: unknown flag -address\n\nUsage: sample run [options] <program> [<argument>...]\nRun \"sample run -help\" for more.\n", 1},
		{"fail", "Error: it broke\n\nTry again.\n", 1},
		{"fail x", "Error: this command takes no arguments\n\nUsage: sample fail \nRun \"sample fail -help\" for more.\n", 1},
		{"later -x y", "Error: \"sample later\" is not built yet\n", 1},
		{"-version", "sample 1\n", 0},
		{"thnig", "Error: there is no command \"sample thnig\"\n\nDid you mean \"sample thing\"?\n\nRun \"sample -help\" for the list of commands.\n", 127},
		{"secre", "Error: there is no command \"sample secre\"\n\nRun \"sample -help\" for the list of commands.\n", 127},
	} {
		code, got := call(t, c.line, map[string]string{"NOMAD_ADDR": "env"})
		if code != c.code {
			t.Errorf("%s: code %d, want %d", c.line, code, c.code)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.line, diff)
		}
	}
}

func TestEnvironment(t *testing.T) {
	_, got := call(t, "thing show a", map[string]string{"NOMAD_ADDR": "old", "SERAI_ADDR": "new"})
	if !strings.Contains(got, "address=new") {
		t.Errorf("SERAI_ADDR must win: %s", got)
	}
	env := map[string]string{"NOMAD_TOKEN": "t", "SERAI_SKIP_VERIFY": "1", "NOMAD_HTTP_AUTH": "u:p", "NO_COLOR": "1"}
	c := fromEnvironment(func(n string) string { return env[n] })
	if c.Token != "t" || !c.TLSSkipVerify || c.HTTPAuth != "u:p" || !c.NoColor {
		t.Errorf("%+v", c)
	}
}

func TestColour(t *testing.T) {
	for _, c := range []struct {
		line string
		env  map[string]string
		want bool
	}{
		{"thing show -force-color -h", nil, true},
		{"thing show -h", map[string]string{"NOMAD_CLI_FORCE_COLOR": "1"}, true},
		{"thing show -h", map[string]string{"SERAI_CLI_FORCE_COLOR": "1", "NO_COLOR": "1"}, false},
		{"thing show -h", nil, false},
	} {
		_, got := call(t, c.line, c.env)
		if strings.Contains(got, "\x1b[") != c.want {
			t.Errorf("%s %v: colour = %v", c.line, c.env, !c.want)
		}
	}
}

func TestHelpText(t *testing.T) {
	var b strings.Builder
	for _, line := range []string{"-help", "help thing show", "thing --help", "run -h"} {
		_, got := call(t, line, nil)
		fmt.Fprintf(&b, "$ sample %s\n%s\n", line, got)
	}
	path := filepath.Join("testdata", "help.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestComplete(t *testing.T) {
	for line, want := range map[string][]string{
		"th": {"thing"}, "thing s": {"show"}, "s": nil, "thing show a": {"apple1"}, "thing show x p": {"pear"},
		"thing show -lo": {"-loud"}, "thing show --lo": {"-loud"}, "thing show -count 3 a": {"apple1"}, "nothing x": nil, "run x": nil,
	} {
		var out bytes.Buffer
		got := sample(&out, &out, nil).complete(t.Context(), strings.Fields(line))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

// TestScriptsAreSyntax: the shells that are here take the scripts.
func TestScriptsAreSyntax(t *testing.T) {
	for shell, args := range map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"--no-execute"}} {
		script, err := CompletionScript(shell, "sample")
		if err != nil || strings.Contains(script, "PROGRAM") {
			t.Errorf("%s: %v", shell, err)
		}
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		c := exec.Command(shell, args...)
		c.Stdin = strings.NewReader(script)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	if _, err := CompletionScript("tcsh", "sample"); err == nil {
		t.Error("tcsh is not known")
	}
}

func TestInstallCompletion(t *testing.T) {
	home := t.TempDir()
	rc := filepath.Join(home, ".bashrc")
	if err := os.WriteFile(rc, []byte("alias x=y"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": home}
	for range 2 { // twice is once
		if code, out := call(t, "-autocomplete-install", env); code != 0 {
			t.Fatal(out)
		}
	}
	got, _ := os.ReadFile(rc)
	if want := "alias x=y\ncommand -v sample >/dev/null && source <(sample completion bash)\n"; string(got) != want {
		t.Errorf("got %q", got)
	}
	call(t, "-autocomplete-uninstall", env)
	if got, _ := os.ReadFile(rc); string(got) != "alias x=y\n" {
		t.Errorf("got %q", got)
	}
	if entries, _ := os.ReadDir(home); len(entries) != 1 {
		t.Error("files of shells that are not used were made")
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	table := NewTable("ID", "Name", "Status")
	style := Style{on: true}
	table.Row("1", "größe", style.Red("failed"))
	table.Row("22", "a\x1b[2Jb\nc\td", "")
	table.Write(&b, Style{})
	want := "ID  Name        Status\n1   größe       \x1b[31mfailed\x1b[0m\n22  a [2Jb c d\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.Reset()
	var p Pairs
	p.Add("A", "1")
	p.Add("Long", "")
	p.Write(&b, Style{})
	if want := "A    = 1\nLong = <none>\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
}

func TestLive(t *testing.T) {
	var b bytes.Buffer
	l := &Live{w: &b}
	l.Draw([]string{"one", "two"})
	l.Draw([]string{strings.Repeat("x", 200)})
	want := "\r\x1b[Kone\n\r\x1b[Ktwo\n\x1b[J\x1b[2A\r\x1b[K" + strings.Repeat("x", 79) + "…\x1b[0m\n\x1b[J"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.Reset()
	l.Draw(make([]string, 100))
	if n := strings.Count(b.String(), "\n"); n > 23 {
		t.Errorf("%d lines on a terminal of 24", n)
	}
}

func TestFormat(t *testing.T) {
	value := map[string]any{"b": []string{"x", "<y>"}, "a": 1}
	for template, want := range map[string]string{
		`{{.a}} {{join .b ","}}`: "1 x,<y>\n", `{{json .b}}`: "[\"x\",\"\\u003cy\\u003e\"]\n", "{{range .b}}{{.}}\n{{end}}": "x\n<y>\n",
	} {
		var b bytes.Buffer
		if err := (&Format{Template: template}).Write(&b, value); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v", template, b.String(), err)
		}
	}
	var b bytes.Buffer
	if err := (&Format{JSON: true}).Write(&b, value); err != nil || !strings.Contains(b.String(), "\"<y>\"") {
		t.Errorf("got %s, %v", b.String(), err)
	}
	if err := (&Format{Template: "{{"}).Write(&b, value); err == nil {
		t.Error("a broken template is no error")
	}
}
