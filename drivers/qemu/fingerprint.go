package qemu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/landlock"
	"github.com/seraihq/serai/internal/pattern"
)

// emulatorName is what the programs of QEMU that emulate a machine are called.
var emulatorName = pattern.New(`^qemu-system-[a-z0-9_]+$`)

// defaultEmulator is the program for machines like this one.
func defaultEmulator() string {
	switch runtime.GOARCH {
	case "amd64":
		return "qemu-system-x86_64"
	case "arm64":
		return "qemu-system-aarch64"
	}
	return "qemu-system-" + runtime.GOARCH
}

// findEmulator returns the program that a job asks for. Without the operator's list any of QEMU's own in PATH may be used.
func findEmulator(name string, allowlist []string) (string, error) {
	if name == "" {
		name = defaultEmulator()
		if len(allowlist) > 0 && !slices.Contains(allowlist, name) {
			name = allowlist[0]
		}
	}
	switch {
	case len(allowlist) > 0 && !slices.Contains(allowlist, name):
		return "", fmt.Errorf("emulator %q is not allowed on this node: its operator allows %s", name, strings.Join(allowlist, ", "))
	case len(allowlist) == 0 && !emulatorName.MatchString(name):
		return "", fmt.Errorf("emulator %q is not one of QEMU's: name one such as %q, or have the operator add it to emulators_allowlist", name, defaultEmulator())
	}
	path, err := exec.LookPath(name)
	if err != nil || !filepath.IsAbs(path) {
		return "", fmt.Errorf("emulator %q is not in the agent's PATH: install QEMU, or name another", name)
	}
	return filepath.EvalSymlinks(path)
}

// emulators lists those that jobs may use on this node.
func emulators(allowlist []string) []string {
	var out []string
	if len(allowlist) > 0 {
		for _, name := range allowlist {
			if _, err := findEmulator(name, allowlist); err == nil {
				out = append(out, name)
			}
		}
		return out
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		found, _ := filepath.Glob(filepath.Join(dir, "qemu-system-*"))
		for _, path := range found {
			if name := filepath.Base(path); emulatorName.MatchString(name) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Fingerprint implements drivers.Driver. That QEMU is there is told at once; its version and whether KVM works follow when they are known.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	out := make(chan drivers.Fingerprint, 2)
	settings := d.settings()
	list := emulators(settings.EmulatorsAllowlist)
	if len(list) == 0 {
		out <- drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "there is no " + defaultEmulator() + " in the agent's PATH"}
		context.AfterFunc(ctx, func() { close(out) })
		return out, nil
	}
	fp := drivers.Fingerprint{Health: drivers.HealthHealthy, Description: "Healthy",
		Attributes: map[string]any{"driver." + Name: true, "driver." + Name + ".emulators": strings.Join(list, ",")}}
	if landlock.Version() == 0 {
		fp.Description = "Healthy, without Landlock: what is readable to everybody on this node is so to QEMU"
	}
	out <- fp
	go func() {
		defer close(out)
		more := d.details(ctx, settings, fp)
		if ctx.Err() == nil {
			out <- more // the channel has room for both
		}
		<-ctx.Done()
	}()
	return out, nil
}

// details adds what takes a process to find out.
func (d *Driver) details(ctx context.Context, settings config, fp drivers.Fingerprint) drivers.Fingerprint {
	attributes := map[string]any{}
	for k, v := range fp.Attributes {
		attributes[k] = v
	}
	fp.Attributes = attributes
	c := &confinement{}
	var err error
	if c.emulator, err = findEmulator("", settings.EmulatorsAllowlist); err != nil {
		return fp
	}
	version, err := c.version(ctx)
	if err != nil {
		return drivers.Fingerprint{Health: drivers.HealthUnhealthy, Description: err.Error(), Attributes: attributes}
	}
	attributes["driver."+Name+".version"] = version
	if c.who, err = credentials("", settings); err != nil {
		return drivers.Fingerprint{Health: drivers.HealthUnhealthy, Description: "user: " + err.Error(), Attributes: attributes}
	}
	attributes["driver."+Name+".accelerator"] = accelTCG
	if err := d.kvmWorks(ctx, c); err == nil {
		attributes["driver."+Name+".accelerator"] = accelKVM
	} else if ctx.Err() == nil {
		d.Logger.Debug("machines run without KVM", "why", err.Error())
	}
	return fp
}
