// Package builtin is the written-out list of the drivers that are part of the binary.
//
// The agent reads schemas and fingerprints from it, the driver host makes the one driver that it serves, the server checks the config
// blocks of submitted jobs with it. Making a driver is cheap and has no effect on the machine until it is configured and used.
package builtin

import (
	"log/slog"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container"
	"github.com/seraihq/serai/drivers/docker"
	"github.com/seraihq/serai/drivers/exec"
	"github.com/seraihq/serai/drivers/java"
	"github.com/seraihq/serai/drivers/mock"
	"github.com/seraihq/serai/drivers/qemu"
	"github.com/seraihq/serai/drivers/rawexec"
)

// Builtin is one driver of the binary.
type Builtin struct {
	Name string
	New  func(*slog.Logger) drivers.Driver
}

// All returns the built-in drivers in order of name.
func All() []Builtin {
	return []Builtin{
		{container.Name, func(l *slog.Logger) drivers.Driver { return container.New(l) }},
		{docker.Name, func(l *slog.Logger) drivers.Driver { return docker.New(l) }},
		{exec.Name, func(l *slog.Logger) drivers.Driver { return exec.New(l) }},
		{java.Name, func(l *slog.Logger) drivers.Driver { return java.New(l) }},
		{mock.Name, func(l *slog.Logger) drivers.Driver { return mock.New(l) }},
		{qemu.Name, func(l *slog.Logger) drivers.Driver { return qemu.New(l) }},
		{rawexec.Name, func(l *slog.Logger) drivers.Driver { return rawexec.New(l) }},
	}
}

// Lookup returns the built-in driver of that name.
func Lookup(name string) (Builtin, bool) {
	for _, b := range All() {
		if b.Name == name {
			return b, true
		}
	}
	return Builtin{}, false
}
