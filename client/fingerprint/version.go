package fingerprint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
)

// versions tells what the agent is. Job files compare nomad.version.
func versions(_ *Config, n *api.Node) error {
	n.Attributes["nomad.version"] = version.Compatible
	n.Attributes["nomad.service_discovery"] = "true"
	n.Attributes["serai.version"] = version.String()
	if r := version.Revision(); r != "" {
		n.Attributes["nomad.revision"] = r
		n.Attributes["serai.revision"] = r
	}
	return nil
}
