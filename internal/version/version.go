// Package version tells which serai this is, and which release of Nomad's API
// it answers as.
package version

import "runtime/debug"

// Version is set by the linker; a plain `go build` takes the module's own.
var Version = ""

// Compatible is the release of Nomad whose job files, API and attributes serai
// answers to; constraints on ${attr.nomad.version} see it.
const Compatible = "2.0.0"

// String gives the version, "dev" when nothing is known of it.
func String() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// Revision gives the commit that the binary was built from; empty when unknown.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
