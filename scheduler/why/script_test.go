package why_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/sim"
	"github.com/seraihq/serai/scheduler/why"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestScripts runs testdata/*.txt: lines that make a cluster, and questions
// (why JOB, alloc NAME) with the answer below "----".
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := script(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func script(t *testing.T, text string) string {
	w := newWorld()
	var out strings.Builder
	answering := false
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if answering {
			answering = line != ""
			continue
		}
		fmt.Fprintln(&out, line)
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if answer := command(t, w, words); answer != "" {
			fmt.Fprintf(&out, "----\n%s\n", answer)
			answering = true
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func command(t *testing.T, w *sim.World, words []string) string {
	t.Helper()
	var b strings.Builder
	switch s := parseSpec(words[2:]); words[0] {
	case "node":
		w.PutNode(makeNode(words[1], s))
	case "job":
		run(t, w, makeJob(words[1], s))
	case "stop":
		j, _ := w.Job("default", words[1])
		c := *j
		c.Stop = true
		run(t, w, &c)
	case "client": // client NAME status=failed
		a := *find(t, w, words[1])
		a.ClientStatus, a.ClientDescription = s["status"], s["description"]
		w.PutAllocation(&a)
	case "why":
		j, _ := w.Job("default", words[1])
		answer, err := why.Job(input(w), j)
		if err != nil {
			t.Fatal(err)
		}
		write(&b, answer)
	case "alloc":
		answer, err := why.Allocation(input(w), find(t, w, words[1]))
		if err != nil {
			t.Fatal(err)
		}
		writeAlloc(&b, answer)
	default:
		t.Fatalf("unknown line %q", strings.Join(words, " "))
	}
	return b.String()
}

func writeAlloc(b *strings.Builder, a *api.AllocWhy) {
	fmt.Fprintln(b, a.Summary)
	for _, n := range a.Notes {
		fmt.Fprintf(b, "  also: %s\n", n)
	}
	if a.Now != nil {
		writeFunnel(b, a.Now)
	}
	for _, s := range a.Scores {
		fmt.Fprintf(b, "  score %s %.3f\n", s.NodeID, s.NormScore)
	}
}
