package java

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/drivers"
)

// How the host's Java is looked for: again every so often, and asked what it is with a limit, after the agent is up.
const (
	lookAgain   = 30 * time.Second
	askDelay    = 200 * time.Millisecond
	askPatience = 20 * time.Second
)

// find returns the file of the virtual machine. The way to it is often a chain of links, not all of which lead anywhere inside a container.
func find() (string, error) {
	file, err := exec.LookPath("java")
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(file)
}

// Fingerprint implements drivers.Driver. What the installation's release file tells is told at once; the rest once java has been asked, which takes
// a moment; and all again when another Java has been installed.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	out := make(chan drivers.Fingerprint, 1)
	here := d.Containers.Fingerprint(Name)
	file, _ := find()
	out <- describe(here, installation(file))
	go func() {
		defer close(out)
		if here.Health != drivers.HealthHealthy {
			<-ctx.Done()
			return
		}
		d.follow(ctx, here, out)
	}()
	return out, nil
}

func (d *Driver) follow(ctx context.Context, here drivers.Fingerprint, out chan<- drivers.Fingerprint) {
	var known os.FileInfo
	for pause := askDelay; ; pause = lookAgain {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		file, _ := find()
		now, _ := os.Stat(file)
		if same(known, now) && pause == lookAgain {
			continue
		}
		known = now
		found := installation(file)
		if now != nil {
			maps.Copy(found, ask(ctx, file))
		}
		select {
		case out <- describe(here, found):
		case <-ctx.Done():
			return
		}
	}
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime())
}

// describe makes the answer from what was found of Java.
func describe(here drivers.Fingerprint, found map[string]any) drivers.Fingerprint {
	if here.Health != drivers.HealthHealthy {
		return here
	}
	if len(found) == 0 {
		return drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "no java in PATH of the agent, or it does not answer"}
	}
	here.Attributes = map[string]any{"driver." + Name: true}
	for k, v := range found {
		here.Attributes["driver."+Name+"."+k] = v
	}
	return here
}

// maxRelease is how much of a release file is read.
const maxRelease = 64 << 10

// installation reads the version from the release file that lies beside bin/java in all installations of OpenJDK.
func installation(file string) map[string]any {
	out := map[string]any{}
	if file == "" {
		return out
	}
	home := filepath.Dir(filepath.Dir(file))
	for _, dir := range []string{home, filepath.Dir(home)} { // in old ones the machine lies in jre/bin
		f, err := os.Open(filepath.Join(dir, "release"))
		if err != nil {
			continue
		}
		text := make([]byte, maxRelease)
		n, _ := f.Read(text)
		_ = f.Close()
		for line := range strings.Lines(string(text[:n])) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "JAVA_VERSION="); ok {
				if v, err := strconv.Unquote(v); err == nil {
					out["version"] = v
				}
			}
		}
	}
	return out
}

// ask runs java -version.
func ask(ctx context.Context, file string) map[string]any {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-version")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	said, err := cmd.CombinedOutput() // on standard error
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		// Another virtual machine may not know these options.
		cmd = exec.CommandContext(ctx, file, "-version")
		cmd.WaitDelay = time.Second
		if said, err = cmd.CombinedOutput(); err != nil {
			return nil
		}
	}
	out, err := parse(string(said))
	if err != nil {
		return nil
	}
	return out
}

// parse reads what java -version says: the version in quotes, then a line on the runtime environment and one on the virtual machine.
func parse(said string) (map[string]any, error) {
	out := map[string]any{}
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "Picked up "):
		case strings.Contains(line, " version \""):
			_, rest, _ := strings.Cut(line, " version \"")
			v, _, closed := strings.Cut(rest, `"`)
			if closed && len(v) <= 100 {
				out["version"] = v
			}
		case strings.Contains(line, "Runtime Environment"):
			out["runtime"] = line
		case strings.Contains(line, " VM "):
			out["vm"] = line
		}
	}
	if out["version"] == nil {
		return nil, fmt.Errorf("no version in %.200q", said)
	}
	return out, nil
}
