package command

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	time.Local = time.UTC
	os.Exit(m.Run())
}

// TestScripts runs the scripts in testdata/script against a fake agent. A line
// that begins with "$ serai" is a command; what follows is what it must print:
// standard output, then standard error after "!" signs, then [exit N] unless 0.
// Lines that begin with "#" are comments.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fake := newFakeAgent(t)
			var got strings.Builder
			for _, line := range strings.Split(string(want), "\n") {
				switch {
				case strings.HasPrefix(line, "#"):
					fmt.Fprintln(&got, line)
				case strings.HasPrefix(line, "$ serai"):
					got.WriteString(runLine(fake, line))
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// runLine runs one command and writes it down as scripts have it.
func runLine(fake *fakeAgent, line string) string {
	var stdout, stderr bytes.Buffer
	env := map[string]string{"SERAI_ADDR": fake.url}
	code := Run(context.Background(), words(line), strings.NewReader(""), &stdout, &stderr, func(name string) string { return env[name] })
	var b strings.Builder
	fmt.Fprintln(&b, line)
	for _, l := range lines(stdout.String()) {
		fmt.Fprintln(&b, fake.mask(l))
	}
	for _, l := range lines(stderr.String()) {
		fmt.Fprintln(&b, strings.TrimRight("! "+fake.mask(l), " "))
	}
	if code != 0 {
		fmt.Fprintf(&b, "[exit %d]\n", code)
	}
	return b.String() + "\n"
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// words splits a command line at spaces outside single quotes and drops "$ serai".
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(strings.TrimPrefix(line, "$ serai"), "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}
