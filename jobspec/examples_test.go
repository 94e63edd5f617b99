package jobspec

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// Every example parses, is valid, has nothing that is not built or without
// effect, and is formatted.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/*.nomad.hcl")
	if err != nil || len(files) < 7 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src := source(t, file)
			r, err := Parse(context.Background(), src)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Locate(append(r.Job.Validate(api.ValidateLimits{}), r.Job.NotBuilt()...)); err != nil {
				t.Error(err)
			}
			if w := append(r.Warnings, r.Job.Warnings()...); len(w) > 0 {
				t.Error(w)
			}
			if want := strings.TrimSuffix(filepath.Base(file), ".nomad.hcl"); r.Job.ID != want {
				t.Errorf("job %q, want %q", r.Job.ID, want)
			}
			formatted, err := Format(src.Data, file)
			if err != nil || !bytes.Equal(formatted, src.Data) {
				t.Errorf("not formatted: %v\n%s", err, formatted)
			}
		})
	}
}

func TestExampleVariables(t *testing.T) {
	vars, err := os.ReadFile("../examples/demo-variables.vars.hcl")
	if err != nil {
		t.Fatal(err)
	}
	src := source(t, "../examples/demo-variables.nomad.hcl")
	src.VarFiles = []VarFile{{Name: "demo-variables.vars.hcl", Data: vars}}
	r, err := Parse(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Job.TaskGroups) != 2 || r.Job.TaskGroups[1].Name != "worker-eve" || r.Job.TaskGroups[0].Tasks[0].Resources.MemoryMB != 64 {
		t.Errorf("%+v", r.Job.TaskGroups[0])
	}
	src.VarFlags = map[string]string{"size": "huge"}
	if _, err := Parse(context.Background(), src); err == nil || !strings.Contains(err.Error(), "A worker is small or large") {
		t.Error(err)
	}
}
