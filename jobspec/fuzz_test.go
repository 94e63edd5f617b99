package jobspec

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

func seeds(f *testing.F, patterns ...string) {
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// Whatever the content, parsing ends soon, and what it accepts survives its
// own JSON.
func FuzzParse(f *testing.F) {
	seeds(f, "testdata/good/*", "testdata/bad/*.hcl", "testdata/bad/*.json", "../examples/*.hcl")
	for _, bomb := range bombs {
		f.Add([]byte(bomb))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		slow := time.AfterFunc(10*time.Second, func() { panic("slow: " + string(data)) })
		defer slow.Stop()
		r, err := Parse(context.Background(), Source{Name: "fuzz", Data: data})
		if err != nil {
			_ = err.Error()
			return
		}
		_ = r.Locate(append(r.Job.Validate(api.ValidateLimits{}), r.Job.NotBuilt()...))
		r.Job.Warnings()
		out, err := json.Marshal(r.Job)
		if err != nil {
			t.Fatal(err)
		}
		var again api.Job
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

func FuzzFormat(f *testing.F) {
	seeds(f, "testdata/good/*.hcl", "../examples/*.hcl")
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := Format(data, "fuzz")
		if err != nil {
			return
		}
		again, err := Format(out, "fuzz")
		if err != nil {
			t.Fatalf("what was formatted does not parse: %v\n%s", err, out)
		}
		_ = again
	})
}
