package rest

import (
	"net/http"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
)

// trustOperations decide whom the cluster trusts. Whoever may call them can
// become any agent.
var trustOperations = []*api.Endpoint{
	api.CARotate.Endpoint, api.CARetire.Endpoint, api.CARevoke.Endpoint, api.CASign.Endpoint, api.JoinTokenCreate.Endpoint, api.JoinTokenRevoke.Endpoint,
}

// operatorsOnly refuses operations about trust to callers that showed no
// certificate of the command line or of a server, unless they are on this
// machine: a client agent, or whatever has its certificate, does not become a
// server, and neither does who reaches a port that asks for no certificate.
func (a *API) operatorsOnly(r *http.Request, op *api.Endpoint) error {
	if !slices.Contains(trustOperations, op) {
		return nil
	}
	p, ok := tlsx.PeerFrom(r.Context())
	region := a.Agent.Region()
	switch {
	case ok && (p.Is(tlsx.RoleServer, region) || p.Is(tlsx.RoleCLI, region)), !ok && tlsx.Loopback(r.RemoteAddr):
		return nil
	case ok:
		return api.Errorf(api.ErrDenied, "Permission denied: %s is for certificates of servers and of the command line (cli.%s.nomad), and this one is for %s; ask a server's own HTTP address with such a certificate", op.Name, region, p)
	}
	return api.Errorf(api.ErrDenied, "Permission denied: %s needs a certificate of the command line (cli.%s.nomad), or to be asked over loopback", op.Name, region)
}
