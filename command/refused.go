package command

import "github.com/seraihq/serai/command/cli"

// refused makes commands that Nomad has and serai has not built yet. They are
// known by name, so that a script gets a clear answer, and are not listed.
func refused(names ...string) []*cli.Command {
	out := make([]*cli.Command, len(names))
	for i, name := range names {
		out[i] = &cli.Command{Name: name, Synopsis: "Not built yet", Usage: "", Hidden: true, Refused: true}
	}
	return out
}

// notBuilt lists the commands at the top that are refused with all below them.
var notBuilt = []string{
	"check", "client-config", "debug", "license", "login", "plugin", "quota",
	"recommendation", "sentinel", "service", "setup", "var", "volume",
}
