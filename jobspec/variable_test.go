package jobspec

import (
	"context"
	"strings"
	"testing"
)

const typed = `
variable "text" {
  type = string
}
variable "number" {
  type    = number
  default = 1
}
variable "list" {
  type    = list(string)
  default = []
}
variable "object" {
  type = object({ name = string, size = optional(number, 7) })
  default = { name = "n" }
}
variable "any" {
  default = null
}
job "a" {
  meta {
    all = jsonencode([var.text, var.number, var.list, var.object, var.any])
  }
}
`

func TestVariableSources(t *testing.T) {
	src := Source{
		Name: "v.hcl", Data: []byte(typed), Strict: true,
		Env:      []string{"NOMAD_VAR_text=env", "NOMAD_VAR_number=2", "SERAI_VAR_number=3", "NOMAD_VAR_undeclared=x", `NOMAD_VAR_list=["e"]`},
		VarFiles: []VarFile{{"one.hcl", []byte("text = \"file\"\nnumber = 4\n")}, {"two.json", []byte(`{"number": 5, "list": ["f"]}`)}},
		VarFlags: map[string]string{"list": `["g", "h"]`, "any": "free"},
	}
	r, err := Parse(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Job.Meta["all"], `["file",5,["g","h"],{"name":"n","size":7},"free"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s := r.Submission; s.Format != "hcl2" || s.VariableFlags["any"] != "free" || !strings.Contains(s.Variables, "number = 4") || s.Source != typed {
		t.Errorf("%+v", s)
	}
}

func TestVariableProblems(t *testing.T) {
	cases := map[string]struct {
		change func(*Source)
		want   string
	}{
		"no value":       {func(s *Source) { s.VarFlags = nil }, `v.hcl:2,1: variable "text" has no value`},
		"wrong type":     {func(s *Source) { s.VarFlags["number"] = "many" }, `v.hcl:5,1: variable "number" must be number: -var: a number is required`},
		"not expression": {func(s *Source) { s.VarFlags["list"] = "[1," }, `-var list:1,1: `},
		"undeclared":     {func(s *Source) { s.VarFlags["txet"] = "x" }, `v.hcl: -var gives a value for variable "txet", which the file does not declare; did you mean "text"?`},
		"file problem":   {func(s *Source) { s.VarFiles = []VarFile{{"x.hcl", []byte("number = \n")}} }, `x.hcl:1,`},
		"file block":     {func(s *Source) { s.VarFiles = []VarFile{{"x.hcl", []byte("number {\n}\n")}} }, `x.hcl:1,1: a variable file has no blocks`},
		"flag is a bomb": {func(s *Source) {
			s.VarFlags["list"] = `[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]`
		}, "too many steps"},
		"reference": {func(s *Source) { s.VarFlags["list"] = "[local.x]" }, `unknown name "local"`},
		"object":    {func(s *Source) { s.VarFlags["object"] = "{ size = 1 }" }, `attribute "name" is required`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			src := Source{Name: "v.hcl", Data: []byte(typed), Strict: true, VarFlags: map[string]string{"text": "x"}}
			c.change(&src)
			_, err := Parse(context.Background(), src)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestUndeclaredIsAWarningWhenNotStrict(t *testing.T) {
	r, err := Parse(context.Background(), Source{Name: "v.hcl", Data: []byte(typed), VarFlags: map[string]string{"text": "x", "other": "y"}})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], `"other"`) {
		t.Error(err, r)
	}
}

func TestLegacyForms(t *testing.T) {
	src := `
variable "x" {
  type    = "list(string)"
  default = ["a"]
}
job "a" {
  vault_token = "s.1"
  vault {
    role = "r"
  }
  group "g" {
    task "one" {
      driver = "exec"
    }
    task "two" {
      driver = "exec"
      vault {
        role = "own"
      }
    }
  }
  task "lone" {
    driver = "exec"
  }
}
`
	r, err := Parse(context.Background(), Source{Name: "a.hcl", Data: []byte(src)})
	if err != nil {
		t.Fatal(err)
	}
	g := r.Job.TaskGroups
	if len(g) != 2 || g[0].Tasks[0].Vault.Role != "r" || g[0].Tasks[1].Vault.Role != "own" || g[1].Name != "lone" || g[1].Tasks[0].Vault.Role != "r" {
		t.Errorf("%+v", g)
	}
	if g[0].Tasks[0].Vault == g[1].Tasks[0].Vault {
		t.Error("tasks share a block")
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "vault_token") {
		t.Error(r.Warnings)
	}
}

// The same expression, evaluated often, does not add up to one large text.
func TestDynamicContentIsEvaluatedAfresh(t *testing.T) {
	src := "job \"a\" {\n  group \"g\" {\n    dynamic \"task\" {\n      for_each = range(100)\n      labels = [\"t${task.value}\"]\n      content {\n        driver = \"exec\"\n        env {\n          X = \"" +
		strings.Repeat("x", 50_000) + "${task.value}\"\n        }\n      }\n    }\n  }\n}\n"
	r, err := Parse(context.Background(), Source{Name: "a.hcl", Data: []byte(src)})
	if err != nil {
		t.Fatal(err)
	}
	if tasks := r.Job.TaskGroups[0].Tasks; len(tasks) != 100 || !strings.HasSuffix(tasks[99].Env["X"], "x99") || tasks[99].Name != "t99" {
		t.Error(len(tasks))
	}
}
