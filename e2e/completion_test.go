package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	a := shared(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := a.ok(t, "completion", shell)
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not here: its script is not parsed", shell)
			continue
		}
		if out, err := exec.Command(path, "-n", file(t, "completion."+shell, script)).CombinedOutput(); err != nil {
			t.Errorf("the script for %s: %v %s", shell, err, out)
		}
	}
	if r := a.cli(t, "completion", "tcsh"); r.code != 1 {
		t.Errorf("completion for tcsh: %v", r)
	}
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", mockTask("t", `run_for = "10ms"`)))
	s := a.waitOne(t, id, "complete")
	script := file(t, "complete.bash", a.ok(t, "completion", "bash"))
	for line, want := range map[string]string{
		"serai job ru":                  "run",
		"serai allo":                    "alloc",
		"serai job run -det":            "-detach",
		"serai job status " + id[:4]:    id,
		"serai alloc logs " + s.ID[:4]:  s.ID,
		"serai operator snapshot resto": "restore",
	} {
		words := strings.Split(line, " ")
		cmd := a.command(t.Context())
		cmd.Path, cmd.Args = "/bin/bash", append([]string{"bash", "-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_WORDS[0]=` + binary +
			`; COMP_CWORD=$(($#-1)); _serai_complete; printf '%s\n' "${COMPREPLY[@]}"`, "bash", script}, words...)
		if r := finish(t, cmd); !strings.Contains("\n"+r.stdout, "\n"+want) {
			t.Errorf("%q completes to %v; want %s", line, r, want)
		}
	}
}
