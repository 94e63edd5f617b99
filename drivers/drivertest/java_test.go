package drivertest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/drivertest"
	"github.com/seraihq/serai/internal/cgroup"
)

// pretend is a program that does what the suite asks of a driver without shells: milliseconds to run, exit code, whether it is stubborn, text. With one
// argument it runs that program instead.
const pretend = `
import sun.misc.Signal;

public class Pretend {
    public static void main(String[] args) throws Exception {
        if (args.length == 1) {
            System.exit(new ProcessBuilder(args[0]).inheritIO().start().waitFor());
        }
        for (String name : new String[] {"TERM", "INT", "HUP"}) {
            Signal.handle(new Signal(name), s -> {
                if (!Boolean.parseBoolean(args[2])) {
                    Runtime.getRuntime().halt(128 + s.getNumber());
                }
            });
        }
        if (args.length > 3 && !args[3].isEmpty()) {
            System.out.println(args[3]);
        }
        Thread.sleep(Long.parseLong(args[0]));
        System.exit(Integer.parseInt(args[1]));
    }
}
`

// jar compiles and packs it.
var jar = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "serai-jar-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "Pretend.java"), []byte(pretend), 0o600); err != nil {
		return nil, err
	}
	for _, line := range [][]string{{"javac", "-nowarn", "-XDenableSunApiLintControl", "Pretend.java"}, {"sh", "-c", "jar cfe app.jar Pretend *.class"}} {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, &exec.Error{Name: line[0] + ": " + string(out), Err: err}
		}
	}
	return os.ReadFile(filepath.Join(dir, "app.jar"))
})

func TestJava(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: containers need root")
	}
	if l, err := cgroup.Find(); err != nil || l.Version == 0 {
		t.Skip("not here: containers need control groups")
	}
	for _, tool := range []string{"java", "javac", "jar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("not here: no " + tool + ": install a JDK (make test-deps)")
		}
	}
	both(t, "java", map[string]any{}, func(s *drivertest.Subject) {
		s.Prepare = func(t *testing.T, task *drivers.TaskConfig) {
			text, err := jar()
			if err == nil {
				err = os.WriteFile(filepath.Join(task.TaskDir().Local, "app.jar"), text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Mock = func(o drivertest.Mocked) map[string]any {
			return map[string]any{"jar_path": "local/app.jar", "jvm_options": []any{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"},
				"args": []any{o.RunFor.Milliseconds(), o.Code, o.Stubborn, o.Stdout}}
		}
	})
}
