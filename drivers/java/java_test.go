package java

import (
	"context"
	"log/slog"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seraihq/serai/drivers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommand(t *testing.T) {
	for want, raw := range map[string]map[string]any{
		"J -Xmx64m -jar /local/a.jar x y": {"jar_path": "local/a.jar", "jvm_options": []any{"-Xmx64m"}, "args": []any{"x", "y"}},
		"J -jar /opt/a.jar":               {"jar_path": "/opt/a.jar"},
		"J -jar /etc/passwd":              {"jar_path": "../../etc/passwd"},
		"J -cp local:/x/* Main":           {"class": "Main", "class_path": "local:/x/*"},
	} {
		c, err := decodeTask(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.command("J"), " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, raw := range []map[string]any{
		{}, {"args": []any{"x"}}, {"jar_path": "a", "class": "b"}, {"jar_path": "a", "class_path": "b"}, {"jar_path": "a", "command": "b"},
	} {
		if _, err := decodeTask(raw); err == nil {
			t.Errorf("%v was taken", raw)
		}
	}
}

func TestParse(t *testing.T) {
	for said, want := range map[string][3]string{
		"openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)\nOpenJDK 64-Bit Server VM (build 17.0.15+6, mixed mode, sharing)\n": {
			"17.0.15", "OpenJDK Runtime Environment (build 17.0.15+6)", "OpenJDK 64-Bit Server VM (build 17.0.15+6, mixed mode, sharing)"},
		"Picked up JAVA_TOOL_OPTIONS: -Dx=\"a version \\\"9\"\njava version \"1.8.0_36\"\nJava(TM) SE Runtime Environment (build 1)\nJava HotSpot(TM) Client VM (build 2)\n": {
			"1.8.0_36", "Java(TM) SE Runtime Environment (build 1)", "Java HotSpot(TM) Client VM (build 2)"},
	} {
		got, err := parse(said)
		if err != nil || got["version"] != want[0] || got["runtime"] != want[1] || got["vm"] != want[2] {
			t.Errorf("%v %v", got, err)
		}
	}
	if got, err := parse("bash: nonsense"); err == nil {
		t.Errorf("%v", got)
	}
}

// TestFingerprint: the first answer comes without running java, the second is complete.
func TestFingerprint(t *testing.T) {
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("not here: no java")
	}
	d := New(slog.New(slog.DiscardHandler))
	if d.Containers.Fingerprint(Name).Health != drivers.HealthHealthy {
		t.Skip("not here: containers need root and control groups")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ch, err := d.Fingerprint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	first, second := <-ch, <-ch
	if first.Attributes["driver.java.vm"] != nil || first.Health != drivers.HealthHealthy {
		t.Errorf("first: %+v", first)
	}
	want := []string{"driver.java", "driver.java.runtime", "driver.java.version", "driver.java.vm"}
	if got := slices.Sorted(maps.Keys(second.Attributes)); !slices.Equal(got, want) || second.Health != drivers.HealthHealthy {
		t.Errorf("second: %+v", second)
	}
	cancel()
	for range ch {
	}
}

func FuzzParse(f *testing.F) {
	f.Add("openjdk version \"17\"\nOpenJDK Runtime Environment\nOpenJDK VM x")
	f.Fuzz(func(t *testing.T, said string) {
		if got, err := parse(said); err == nil && got["version"] == nil {
			t.Error("neither version nor error")
		}
	})
}
