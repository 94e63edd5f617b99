package agent

import (
	"context"
	"net/http"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/audit"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/agent/rest"
	"github.com/seraihq/serai/internal/logx"
	"github.com/seraihq/serai/server/auth"
)

// openAudit opens the audit log; nil: there is none.
func (a *Agent) openAudit() (*audit.Log, error) {
	c := a.cfg.Audit
	if !c.Enabled {
		return nil, nil
	}
	for _, s := range c.Sinks { // one, as the configuration was checked
		mode, err := config.ParseMode(s.Mode)
		if err != nil {
			return nil, err
		}
		file, err := logx.OpenFileMode(s.Path, mode, s.RotateBytes, s.RotateDuration, s.RotateMaxFiles)
		if err != nil {
			return nil, api.Errorf(api.ErrUnavailable, "audit: %v", err)
		}
		var filters []audit.Filter
		for _, f := range c.Filters {
			filters = append(filters, audit.Filter{Endpoints: f.Endpoints, Stages: f.Stages, Operations: f.Operations})
		}
		return audit.New(file, s.DeliveryGuarantee == config.Enforced, filters, audit.NodeMeta{IP: a.cfg.Addresses.HTTP, Name: a.cfg.Name}, a.logger), nil
	}
	return nil, nil
}

// audited has what next is asked written down.
func (a *Agent) audited(people *rest.API, next http.Handler) http.Handler {
	if a.audit == nil {
		return next
	}
	return people.Audited(a.audit, a.who(), next)
}

// who gives what tells whose a secret is, for the audit log.
func (a *Agent) who() audit.Who {
	owner := a.owner()
	return func(ctx context.Context, secret api.Sensitive) (*auth.Identity, error) {
		switch {
		case secret != "":
			return owner(ctx, secret)
		case a.cfg.ACL.Enabled:
			return &auth.Identity{}, nil // nobody
		}
		return nil, nil
	}
}
