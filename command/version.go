package command

import (
	"context"
	"runtime"

	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/version"
)

// versionLine says which serai this is, in one line.
func versionLine() string { return "serai " + version.String() }

func versionCommand() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "version", Synopsis: "Show which serai this is", Usage: "[options]", Offline: true,
		Define: format.Define,
		Run: func(_ context.Context, inv *cli.Invocation) error {
			if format.Wanted() {
				return format.Write(inv.Stdout, map[string]string{
					"Version": version.String(), "Revision": version.Revision(), "CompatibleWith": "Nomad " + version.Compatible,
					"Go": runtime.Version(), "Platform": runtime.GOOS + "/" + runtime.GOARCH,
				})
			}
			inv.Printf("%s", versionLine())
			if r := version.Revision(); r != "" {
				inv.Printf("Revision %s", r)
			}
			inv.Printf("Answers as Nomad %s; %s, %s/%s", version.Compatible, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
