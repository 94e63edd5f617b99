package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/e2e/rig"
)

// TestHostVolume: tasks of every driver that has a root of its own share a volume of the node, and write to it only where the job lets them.
func TestHostVolume(t *testing.T) {
	t.Parallel()
	image, host := busyboxImage(t)
	volume := t.TempDir()
	for p := volume; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o777)
	}
	a := start(t, rig.Options{Config: fmt.Sprintf(`
client {
  host_volume "data" {
    path = %q
  }
  host_volume "fixed" {
    path      = %q
    read_only = true
  }
}
plugin "container" {
  config {
    insecure_registries = [%q]
  }
}`, volume, volume, host)})
	const mounts = `
      volume_mount {
        volume      = "data"
        destination = "/srv/data"
      }
      volume_mount {
        volume      = "data"
        destination = "/srv/look"
        read_only   = true
      }
      volume_mount {
        volume      = "fixed"
        destination = "/srv/fixed"
        read_only   = true
      }
      resources {
        cpu    = 20
        memory = 128
      }`
	const script = `command = "/bin/sh"
        args    = ["-c", "cd /srv; for d in data look fixed; do echo $NOMAD_TASK_NAME >$d/$NOMAD_TASK_NAME.$d || echo no $d; done"]`
	tasks := map[string]string{
		"exec":      fmt.Sprintf("driver = \"exec\"\n config {\n%s\n}", script),
		"container": fmt.Sprintf("driver = \"container\"\n user = \"root\"\n config {\n image = %q\n%s\n}", image, script),
	}
	if _, err := exec.LookPath("javac"); err == nil {
		tasks["java"] = `driver = "java"
      config {
        class       = "/local/Main.java"
        jvm_options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
      }
      template {
        destination = "local/Main.java"
        data        = <<-EOF
          public class Main {
            public static void main(String[] args) {
              for (String d : new String[] {"data", "look", "fixed"}) {
                try {
                  java.nio.file.Files.writeString(java.nio.file.Path.of("/srv/" + d + "/java." + d), "java\n");
                } catch (java.io.IOException e) {
                  System.out.println("no " + d);
                }
              }
            }
          }
        EOF
      }`
	}
	id := a.jobID(t)
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "job %q {\n type = \"batch\"\n group \"g\" {\n", id)
	for _, v := range []string{"data", "fixed"} {
		fmt.Fprintf(&hcl, "volume %q {\n type = \"host\"\n source = %q\n read_only = %t\n}\n", v, v, v == "fixed")
	}
	for name, text := range tasks {
		fmt.Fprintf(&hcl, "task %q {\n%s\n%s\n}\n", name, text, mounts)
	}
	hcl.WriteString("}\n}\n")
	a.ok(t, "job", "run", "-detach", file(t, "job.hcl", hcl.String()))
	s := a.waitOne(t, id, "complete")
	for name := range tasks {
		out := a.logs(t, s.ID, name, "stdout")
		if out != "no look\nno fixed\n" {
			t.Errorf("%s says %q", name, out)
		}
		if b, err := os.ReadFile(filepath.Join(volume, name+".data")); string(b) != name+"\n" {
			t.Errorf("%s has left %q %v", name, b, err)
		}
	}
	if entries, _ := os.ReadDir(volume); len(entries) != len(tasks) {
		t.Errorf("the volume holds %v", entries)
	}
}
