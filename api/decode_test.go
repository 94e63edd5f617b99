package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
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

// Each testdata/decode/NAME.json is decoded over the defaults and compared
// with NAME.golden, then decoded again from what was encoded.
func TestDecodeGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/decode/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var j Job
			if err := json.Unmarshal(src, &j); err != nil {
				golden(t, strings.TrimSuffix(file, ".json")+".golden", []byte(err.Error()+"\n"))
				return
			}
			first, err := json.MarshalIndent(&j, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".json")+".golden", append(first, '\n'))
			var again Job
			if err := json.Unmarshal(first, &again); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(j, again) {
				t.Error("decoding what was encoded gives another job")
			}
			second, _ := json.MarshalIndent(&again, "", "  ")
			if !bytes.Equal(first, second) {
				t.Errorf("encoded again:\n%s", second)
			}
			again.Canonicalize()
			again.Region, again.Namespace = j.Region, j.Namespace
			if !reflect.DeepEqual(j, again) {
				t.Error("Canonicalize changed a decoded job")
			}
		})
	}
}

// A job built in Go code becomes what the same job in JSON becomes.
func TestCanonicalizeBuiltJob(t *testing.T) {
	built := &Job{ID: "a", Priority: 50, TaskGroups: []*TaskGroup{{Name: "g", Count: 1, Tasks: []*Task{
		{Name: "t", Driver: "raw_exec", KillTimeout: DefaultKillTimeout},
	}}}}
	built.Canonicalize()
	var decoded Job
	src := `{"ID":"a","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec"}]}]}`
	if err := json.Unmarshal([]byte(src), &decoded); err != nil {
		t.Fatal(err)
	}
	decoded.Canonicalize()
	a, _ := json.Marshal(built)
	b, _ := json.Marshal(&decoded)
	if !bytes.Equal(a, b) {
		t.Errorf("built   %s\ndecoded %s", a, b)
	}
}

func TestExplicitZeroStays(t *testing.T) {
	var j Job
	src := `{"ID":"a","type":"batch","taskgroups":[{"name":"g","count":0,"restartpolicy":{"attempts":0},
		"Tasks":[{"Name":"t","KillTimeout":0,"RestartPolicy":{"Delay":"1s"},"LogConfig":null,"Resources":{"cores":2}}]}]}`
	if err := json.Unmarshal([]byte(src), &j); err != nil {
		t.Fatal(err)
	}
	g := j.TaskGroups[0]
	task := g.Tasks[0]
	if j.Type != JobTypeBatch || g.Count != 0 || g.RestartPolicy.Attempts != 0 || task.KillTimeout != 0 {
		t.Errorf("%+v %+v", g, task)
	}
	if r := task.RestartPolicy; r.Attempts != 0 || r.Delay != seconds(1) || r.Interval != minutes(24*60) {
		t.Errorf("task restart does not inherit from its group: %+v", r)
	}
	if task.Resources.CPU != 0 || task.Resources.Cores != 2 || task.LogConfig == nil {
		t.Errorf("%+v", task.Resources)
	}
}

func TestDecodeNullAndWrongRoot(t *testing.T) {
	j := Job{ID: "kept"}
	if err := json.Unmarshal([]byte("null"), &j); err != nil || j.ID != "kept" {
		t.Error(err, j.ID)
	}
	for _, src := range []string{`[]`, `"a"`, `1`, `{`} {
		if err := json.Unmarshal([]byte(src), &j); err == nil {
			t.Errorf("%s was accepted", src)
		}
	}
}

func FuzzDecodeJob(f *testing.F) {
	files, _ := filepath.Glob("testdata/decode/*.json")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var j Job
		if err := json.Unmarshal(src, &j); err != nil {
			return
		}
		j.Canonicalize()
		j.Validate(ValidateLimits{})
		j.NotBuilt()
		j.Warnings()
		first, err := json.Marshal(&j)
		if err != nil {
			t.Fatal(err)
		}
		var again Job
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if second, _ := json.Marshal(&again); !bytes.Equal(first, second) {
			t.Fatalf("not the same after a round trip:\n%s\n%s", first, second)
		}
		if c := Clone(&j); !reflect.DeepEqual(c, &j) {
			t.Fatal("the clone differs")
		}
	})
}
