package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

// buildExample builds the example driver as its readers do, in its own module, and returns the file.
func buildExample(t *testing.T) string {
	t.Helper()
	dir := "../examples/driver-plugin"
	out := t.TempDir()
	// Its lists of modules are copied, so that a test never writes to the sources.
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(out, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(out, "script-driver")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-modfile="+filepath.Join(out, "go.mod"), "-o", file, ".")
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, text)
	}
	return file
}

func scriptTask(script string) string {
	return `
task "t" {
  driver = "script"
  config {
    script = <<-EOS
` + escape(script) + `
EOS
  }
  resources {
    cpu    = 20
    memory = 32
  }
  kill_timeout = "2s"
}
`
}

// TestExampleDriver runs jobs with the example driver as an external plugin, and kills the plugin and the agent under them.
func TestExampleDriver(t *testing.T) {
	t.Parallel()
	needRoot(t)
	plugins := t.TempDir()
	text, err := os.ReadFile(buildExample(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"script-driver", "not-configured"} {
		if err := os.WriteFile(filepath.Join(plugins, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a := start(t, rig.Options{Config: `
plugin_dir = "` + plugins + `"
plugin "script-driver" {
  config {
    interpreters = ["/bin/sh", "awk"]
  }
}
`})
	a.hasDriver(t, "script")
	// A misspelt option and a program that is not allowed are told.
	bad := a.jobID(t)
	a.register(t, oneGroup(bad, "batch", noRestart, strings.Replace(scriptTask("true"), "script =", "command = \"python3\"\n script =", 1)))
	s := a.waitOne(t, bad, "failed")
	if e := event(a.alloc(t, s.ID), "t", "Driver Failure"); e == nil || !strings.Contains(e.DisplayMessage, "python3") {
		t.Errorf("the event does not name the program: %+v", e)
	}

	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", scriptTask(`trap 'echo got hup' HUP; trap 'echo bye; exit 0' TERM INT
echo up in $NOMAD_TASK_NAME; while :; do sleep 0.05; done`)))
	alloc := a.waitOne(t, id, "running").ID
	a.waitLogs(t, alloc, "t", "stdout", "up in t")
	a.ok(t, "alloc", "signal", "-s", "SIGHUP", alloc)
	a.waitLogs(t, alloc, "t", "stdout", "got hup")
	if out := a.ok(t, "alloc", "exec", "-i=false", "-t=false", alloc, "/bin/sh", "-c", "echo in $NOMAD_ALLOC_ID"); !strings.Contains(out, "in "+alloc) {
		t.Errorf("exec says %q", out)
	}
	if st, err := a.nomad.Allocations().Stats(&nomad.Allocation{ID: alloc, NodeID: a.nodeID(t)}, nil); err != nil || st.Tasks["t"].ResourceUsage.MemoryStats.RSS == 0 {
		t.Errorf("stats: %+v %v", st, err)
	}

	before := a.scriptPID(t, alloc)
	plugin := a.pluginPID(t, plugins)
	kill(t, plugin)
	eventually(t, "another plugin process", func() (bool, string) {
		now := a.pluginPIDs(plugins)
		return len(now) == 1 && now[0] != plugin, strconv.Itoa(plugin)
	})
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	kill(t, a.pluginPID(t, plugins)) // both at once
	a.launch(t)
	a.hasDriver(t, "script")
	a.ok(t, "alloc", "signal", "-s", "SIGHUP", alloc)
	eventually(t, "the second signal", func() (bool, string) {
		out := a.logs(t, alloc, "t", "stdout")
		return strings.Count(out, "got hup") == 2, out
	})
	if after := a.scriptPID(t, alloc); after != before {
		t.Errorf("the task was process %d and is %d", before, after)
	}
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitStatus(t, id, "complete", 1)
	if out := a.logs(t, alloc, "t", "stdout"); !strings.Contains(out, "bye") {
		t.Errorf("the task was not asked to end: %q", out)
	}
	if alive(before) {
		t.Error("the task's process lives")
	}
	a.leavesNothing(t, syscall.SIGINT)
	if left := a.pluginPIDs(plugins); len(left) != 0 {
		t.Errorf("plugin processes %v are left", left)
	}
}

// scriptPID finds the interpreter of the allocation's script.
func (a *agent) scriptPID(t *testing.T, alloc string) (pid int) {
	t.Helper()
	eventually(t, "the script's interpreter", func() (bool, string) {
		for _, p := range a.Processes() {
			if a.belongs(p.PID, alloc) && strings.Contains(p.Command, "/dev/fd/3") {
				pid = p.PID
			}
		}
		return pid != 0, fmt.Sprint(a.Processes())
	})
	return pid
}

// hasDriver waits until the node offers a driver.
func (a *agent) hasDriver(t *testing.T, name string) {
	t.Helper()
	eventually(t, "driver "+name, func() (bool, string) {
		n, _, err := a.nomad.Nodes().Info(a.nodeID(t), nil)
		return err == nil && n.Drivers[name] != nil && n.Drivers[name].Healthy && n.Attributes["driver."+name] != "", a.Log()
	})
}

func (a *agent) nodeID(t *testing.T) string {
	t.Helper()
	list, _, err := a.nomad.Nodes().List(nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("nodes: %v %v", list, err)
	}
	return list[0].ID
}

// pluginPIDs are the processes that run a file of the plugin directory.
func (a *agent) pluginPIDs(dir string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if exe, err := os.Readlink("/proc/" + e.Name() + "/exe"); err == nil && strings.HasPrefix(exe, dir+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (a *agent) pluginPID(t *testing.T, dir string) int {
	t.Helper()
	pids := a.pluginPIDs(dir)
	if len(pids) != 1 {
		t.Fatalf("plugin processes %v, want one", pids)
	}
	return pids[0]
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of a process", func() (bool, string) { return !alive(pid), strconv.Itoa(pid) })
}

// TestExampleDriverConforms runs the example's own tests, as its readers do.
func TestExampleDriverConforms(t *testing.T) {
	t.Parallel()
	needRoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	file := buildExample(t)
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-mod=mod", "-modfile="+filepath.Join(filepath.Dir(file), "go.mod"), ".")
	cmd.Dir = "../examples/driver-plugin"
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
