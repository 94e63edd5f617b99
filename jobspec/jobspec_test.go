package jobspec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs; run with -update and read the diff. got:\n%s", path, got)
	}
}

func sources(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.hcl", "*.hcl.json"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, files...)
	}
	if len(out) == 0 {
		t.Fatal("no files")
	}
	return out
}

func source(t *testing.T, file string) Source {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Source{
		Name: filepath.Base(file), Data: data, Strict: true, AllowFS: true, BaseDir: "testdata/files",
		VarFlags: map[string]string{},
	}
}

// Every file of testdata/good gives the job in NAME.golden, with its warnings.
func TestGood(t *testing.T) {
	for _, file := range sources(t, "good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r, err := Parse(context.Background(), source(t, file))
			if err != nil {
				t.Fatal(err)
			}
			out, err := json.MarshalIndent(r.Job, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, file+".golden", append(out, '\n'))
			if err := r.Locate(r.Job.Validate(api.ValidateLimits{})); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every file of testdata/bad gives the problems in NAME.golden.
func TestBad(t *testing.T) {
	for _, file := range sources(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r, err := Parse(context.Background(), source(t, file))
			if err == nil {
				err = r.Locate(append(r.Job.Validate(api.ValidateLimits{}), r.Job.NotBuilt()...))
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if !errors.Is(err, api.ErrInvalid) {
				t.Errorf("the error is not of kind ErrInvalid: %v", err)
			}
			golden(t, file+".golden", []byte(err.Error()+"\n"))
		})
	}
}

func TestPositionsPointAtFields(t *testing.T) {
	src := "job \"a\" {\n  group \"g\" {\n    task \"t\" {\n      driver = \"exec\"\n      config {\n        args = [\"a\",\n          \"b\"]\n      }\n      resources {\n        memory = 20\n      }\n    }\n  }\n}\n"
	r, err := Parse(context.Background(), Source{Name: "x.hcl", Data: []byte(src)})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"":              1,
		"TaskGroups[0]": 2, "TaskGroups[0].Tasks[0].Driver": 4, "TaskGroups[0].Tasks[0].Config[args][1]": 7,
		"TaskGroups[0].Tasks[0].Resources.MemoryMB": 10,
	} {
		if got := r.Positions[path].Line; got != want {
			t.Errorf("%s is in line %d, want %d", path, got, want)
		}
	}
	err = r.Locate(api.Problems{{Path: "TaskGroups[0].Tasks[0].Resources.CPU", Text: "no"}})
	if err == nil || err.Error() != "x.hcl:9,7: no" {
		t.Error(err)
	}
}

func TestAPIForm(t *testing.T) {
	for _, src := range []string{
		`{"Job": {"ID": "a", "TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "exec"}]}]}}`,
		`{"Name": "x", "ID": "a", "TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "exec"}]}]}`,
	} {
		r, err := Parse(context.Background(), Source{Name: "a.json", Data: []byte(src)})
		if err != nil {
			t.Fatal(err)
		}
		if r.Job.ID != "a" || r.Job.TaskGroups[0].Count != 1 || r.Submission.Format != "json" {
			t.Errorf("%+v", r.Job)
		}
	}
	for src, want := range map[string]string{
		`{"Job": {"ID": 5}}`:                 "a.json: id must be a text, not the number 5",
		`{}`:                                 "a.json: the file has no job",
		"{\"Job\": {\n  \"ID\": \"a\",,\n}}": "a.json:2,13: not JSON",
	} {
		_, err := Parse(context.Background(), Source{Name: "a.json", Data: []byte(src), JSON: true})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
}

func TestTooLarge(t *testing.T) {
	_, err := Parse(context.Background(), Source{Name: "big.hcl", Data: bytes.Repeat([]byte("#"), 2<<20)})
	if !errors.Is(err, api.ErrTooLarge) {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	src := "job \"a\" {\n meta {\n x = join(\"\", [for i in range(1000) : join(\"\", [for k in range(1000) : \"a\"])])\n}\n}\n"
	_, err := Parse(ctx, Source{Name: "a.hcl", Data: []byte(src)})
	if err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Error(err)
	}
}
