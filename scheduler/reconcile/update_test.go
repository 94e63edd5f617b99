package reconcile

import (
	"testing"

	"github.com/seraihq/serai/api"
)

func example() *api.Job {
	return &api.Job{
		ID: "j", Meta: map[string]string{"a": "job"},
		TaskGroups: []*api.TaskGroup{{
			Name: "g", EphemeralDisk: &api.EphemeralDisk{SizeMB: 300},
			Networks: []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}},
			Tasks: []*api.Task{{
				Name: "t", Driver: "exec", User: "nobody", Env: map[string]string{"A": "1"},
				Config:    map[string]any{"command": "sleep", "args": []any{"1"}, "n": 1},
				Resources: &api.Resources{CPU: 100, MemoryMB: 100}, LogConfig: &api.LogConfig{MaxFiles: 10},
			}},
		}},
	}
}

func TestDestructive(t *testing.T) {
	group := func(j *api.Job) *api.TaskGroup { return j.TaskGroups[0] }
	task := func(j *api.Job) *api.Task { return j.TaskGroups[0].Tasks[0] }
	for name, c := range map[string]struct {
		want   bool
		change func(*api.Job)
	}{
		"nothing":             {false, func(*api.Job) {}},
		"empty for absent":    {false, func(j *api.Job) { task(j).Artifacts = []*api.TaskArtifact{}; group(j).Meta = map[string]string{} }},
		"number from a codec": {false, func(j *api.Job) { task(j).Config["n"] = float64(1) }},
		"priority":            {false, func(j *api.Job) { j.Priority = 80 }},
		"count":               {false, func(j *api.Job) { group(j).Count = 5 }},
		"constraint":          {false, func(j *api.Job) { task(j).Constraints = []*api.Constraint{{LTarget: "a"}} }},
		"kill timeout":        {false, func(j *api.Job) { task(j).KillTimeout = 5 }},
		"kill signal":         {false, func(j *api.Job) { task(j).KillSignal = "SIGINT" }},
		"restart":             {false, func(j *api.Job) { group(j).RestartPolicy = &api.RestartPolicy{Attempts: 1} }},
		"log rotation":        {false, func(j *api.Job) { task(j).LogConfig = &api.LogConfig{MaxFiles: 2} }},
		"service":             {false, func(j *api.Job) { task(j).Services = []*api.Service{{Name: "s"}} }},
		"meta moved up":       {false, func(j *api.Job) { group(j).Meta, j.Meta = j.Meta, nil }},

		"driver":        {true, func(j *api.Job) { task(j).Driver = "raw_exec" }},
		"user":          {true, func(j *api.Job) { task(j).User = "root" }},
		"config":        {true, func(j *api.Job) { task(j).Config["args"] = []any{"2"} }},
		"config number": {true, func(j *api.Job) { task(j).Config["n"] = 2 }},
		"config type":   {true, func(j *api.Job) { task(j).Config["n"] = "1" }},
		"config key":    {true, func(j *api.Job) { delete(task(j).Config, "n"); task(j).Config["m"] = 1 }},
		"env":           {true, func(j *api.Job) { task(j).Env["A"] = "2" }},
		"job meta":      {true, func(j *api.Job) { j.Meta["a"] = "2" }},
		"task meta":     {true, func(j *api.Job) { task(j).Meta = map[string]string{"b": "1"} }},
		"cpu":           {true, func(j *api.Job) { task(j).Resources.CPU = 200 }},
		"memory max":    {true, func(j *api.Job) { task(j).Resources.MemoryMaxMB = 200 }},
		"port":          {true, func(j *api.Job) { group(j).Networks[0].DynamicPorts[0].To = 80 }},
		"network mode":  {true, func(j *api.Job) { group(j).Networks[0].Mode = "bridge" }},
		"disk":          {true, func(j *api.Job) { group(j).EphemeralDisk.SizeMB = 500 }},
		"lifecycle":     {true, func(j *api.Job) { task(j).Lifecycle = &api.TaskLifecycle{Hook: api.HookPrestart} }},
		"template":      {true, func(j *api.Job) { task(j).Templates = []*api.Template{{}} }},
		"artifact":      {true, func(j *api.Job) { task(j).Artifacts = []*api.TaskArtifact{{}} }},
		"logs disabled": {true, func(j *api.Job) { task(j).LogConfig.Disabled = true }},
		"task added":    {true, func(j *api.Job) { group(j).Tasks = append(group(j).Tasks, &api.Task{Name: "u"}) }},
		"task renamed":  {true, func(j *api.Job) { task(j).Name = "u" }},
		"affinity":      {true, func(j *api.Job) { j.Affinities = []*api.Affinity{{Weight: 50}} }},
		"group gone":    {true, func(j *api.Job) { group(j).Name = "h" }},
	} {
		j := example()
		c.change(j)
		if got := Destructive(example(), j, "g"); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if got := Destructive(j, example(), "g"); got != c.want {
			t.Errorf("%s, taken back: %t", name, got)
		}
	}
	if !Destructive(nil, example(), "g") {
		t.Error("an unknown version is taken for the same")
	}
}

func TestIndex(t *testing.T) {
	for name, want := range map[string]int{"j.g[0]": 0, "j.g[12]": 12, "a[1].g[2]": 2, "": -1, "j.g": -1, "j.g[x]": -1, "j.g[-1]": -1, "j.g[1": -1} {
		if got := Index(name); got != want {
			t.Errorf("Index(%q) = %d, want %d", name, got, want)
		}
	}
	if got := Name("j", "g", 3); got != "j.g[3]" {
		t.Errorf("Name gives %q", got)
	}
}

func TestNames(t *testing.T) {
	n := newNames()
	if !n.Take(1) || n.Take(1) || n.Take(-1) {
		t.Error("Take")
	}
	got := []int{n.Next(), n.Next(), n.Prefer(5, 6), n.Prefer(5, 6), n.Prefer(9, 6)}
	for i, want := range []int{0, 2, 5, 3, 4} {
		if got[i] != want {
			t.Errorf("name %d is %d, want %d", i, got[i], want)
		}
	}
}
