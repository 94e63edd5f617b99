package e2e

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/seraihq/serai/e2e/rig"
)

// javaJob compiles a program and packs it in one task, and runs the jar in the next.
func javaJob(id, source, options string) string {
	compile := execTask("compile", `mkdir -p /alloc/data/src && cd /alloc/data/src && cat > Main.java <<'SOURCE'
`+source+`
SOURCE
javac -J-Xmx160m -J-XX:TieredStopAtLevel=1 Main.java && jar cfe ../main.jar Main *.class`, `
  lifecycle {
    hook = "prestart"
  }`)
	// A compiler needs more than a shell.
	compile = strings.NewReplacer("memory = 32", "memory = 320", "cpu    = 10", "cpu    = 1000").Replace(compile)
	return oneGroup(id, "batch", noRestart, compile, `
task "t" {
  driver = "java"
  config {
    jar_path    = "/alloc/data/main.jar"
    jvm_options = ["-XX:TieredStopAtLevel=1"]
    args        = ["one", "two words"]
  }
  env {
    GREETING = "hello"
  }
  resources {
    cpu    = 1000
    memory = 256
  }
  `+options+`
}
`)
}

func TestJavaRunsAJar(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, tool := range []string{"java", "javac", "jar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("not here: no " + tool + ": install a JDK (make test-deps)")
		}
	}
	a := shared(t)
	a.hasDriver(t, "java")
	id := a.jobID(t)
	a.register(t, javaJob(id, `
import java.nio.file.*;

public class Main {
    public static void main(String[] args) throws Exception {
        System.out.println("args=" + String.join("|", args) + " env=" + System.getenv("GREETING"));
        System.out.println("heap=" + (Runtime.getRuntime().maxMemory() >> 20));
        System.out.println("hosts-files=" + Files.exists(Path.of("/root")) + Files.exists(Path.of("/var/lib")));
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("Uid:") || line.startsWith("NoNewPrivs:") || line.startsWith("CapEff:")) {
                System.out.println(line);
            }
        }
        Files.writeString(Path.of("/local/written"), "x");
        System.err.println("done");
        System.exit(7);
    }
}`, ""))
	s := a.waitOne(t, id, "failed")
	out := a.logs(t, s.ID, "t", "stdout")
	for _, want := range []string{"args=one|two words env=hello", "heap=", "hosts-files=falsefalse", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the output", want)
		}
	}
	// The machine takes a part of its 256 MB, not of the host's gigabytes.
	if heap := field(out, "heap="); len(heap) < 1 || len(heap) > 3 || len(heap) == 3 && heap > "256" {
		t.Errorf("the heap may grow to %s MB", heap)
	}
	if strings.Contains(out, "Uid:\t0") {
		t.Error("the program runs as root")
	}
	if e := event(a.alloc(t, s.ID), "t", "Terminated"); e == nil || e.Details["exit_code"] != "7" {
		t.Errorf("ended with %+v, want exit code 7", e)
	}
	if errs := a.logs(t, s.ID, "t", "stderr"); !strings.Contains(errs, "done") {
		t.Errorf("standard error holds %q", errs)
	}
	if t.Failed() {
		t.Log(out, a.logs(t, s.ID, "compile", "stderr"))
	}
}

// TestJavaExample runs the example as it is, and asks it.
func TestJavaExample(t *testing.T) {
	t.Parallel()
	needRoot(t)
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("not here: no javac: install a JDK (make test-deps)")
	}
	a := start(t, rig.Options{Dev: true})
	a.hasDriver(t, "java")
	a.ok(t, "fmt", "-check", "../examples/java.hcl")
	a.ok(t, "job", "run", "-detach", "../examples/java.hcl")
	alloc := a.waitOne(t, "java", "running").ID
	a.waitLogs(t, alloc, "hello", "stdout", "port ")
	port := field(a.logs(t, alloc, "hello", "stdout"), "port ")
	port, _, _ = strings.Cut(port, ":")
	resp, err := http.Get("http://" + net.JoinHostPort(a.address(t, alloc), port) + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "in java.web[0], with a heap of up to 1") {
		t.Errorf("%q %v", text, err)
	}
	a.leavesNothing(t, syscall.SIGINT)
}

// address is where an allocation's ports are.
func (a *agent) address(t *testing.T, alloc string) string {
	t.Helper()
	found, _, err := a.nomad.Allocations().Info(alloc, nil)
	if err != nil || len(found.AllocatedResources.Shared.Ports) == 0 {
		t.Fatalf("the allocation has no port: %v", err)
	}
	return found.AllocatedResources.Shared.Ports[0].HostIP
}

// field gives what stands after a name, up to the line's end.
func field(text, name string) string {
	_, rest, _ := strings.Cut(text, name)
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}
