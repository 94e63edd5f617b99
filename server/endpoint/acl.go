package endpoint

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pattern"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

// TokenLimits bound the lives of tokens that have an end.
type TokenLimits struct {
	MinTTL time.Duration
	MaxTTL time.Duration
}

const maxTokenName = 256

// aclName is what the names of policies and roles look like.
var aclName = pattern.New(`^[a-zA-Z0-9-]{1,128}$`)

func (e *Endpoints) acl() {
	aclWrite(e, api.ACLBootstrap, e.aclBootstrap)
	e.aclPolicies()
	e.aclTokens()
	e.aclRoles()
}

// aclOff is the answer to everything about access control where there is none.
func (e *Endpoints) aclOff() error {
	if e.ACL != nil {
		return nil
	}
	return api.Errorf(api.ErrInvalid, "ACL support disabled; set acl { enabled = true } on the servers")
}

func aclRead[Req, Resp any](e *Endpoints, op api.Op[Req, Resp], h func(r *Read, req *Req) (Resp, error)) {
	read(e, op, func(r *Read, req *Req) (resp Resp, err error) {
		if err := e.aclOff(); err != nil {
			return resp, err
		}
		return h(r, req)
	})
}

func aclWrite[Req, Resp any](e *Endpoints, op api.Op[Req, Resp], h func(w *Write, req *Req) (Resp, error)) {
	write(e, op, func(w *Write, req *Req) (resp Resp, err error) {
		if err := e.aclOff(); err != nil {
			return resp, err
		}
		return h(w, req)
	})
}

// aclBootstrap makes the first management token, which needs no other one.
func (e *Endpoints) aclBootstrap(w *Write, req *api.ACLBootstrapRequest) (api.ACLTokenSecret, error) {
	secret := req.BootstrapSecret
	if secret == "" {
		secret = api.Sensitive(trigger.NewID())
	} else if !isUUID(secret.Reveal()) {
		return api.ACLTokenSecret{}, api.Errorf(api.ErrInvalid, "invalid acl token: the bootstrap secret must be a UUID; make one with uuidgen")
	}
	t := ManagementToken(secret, w.Now)
	c := &fsm.ACLBootstrap{Token: t}
	if e.BootstrapReset != nil {
		c.ResetIndex = e.BootstrapReset()
	}
	result, err := w.apply(c)
	if err != nil {
		return api.ACLTokenSecret{}, err
	}
	e.Logger.Info("access control has its first management token", "accessor_id", t.AccessorID, "reset", c.ResetIndex > 0)
	return api.ACLTokenSecret{ACLToken: result.(*api.ACLToken)}, nil
}

// ManagementToken makes a cluster's first token.
func ManagementToken(secret api.Sensitive, now time.Time) *api.ACLToken {
	t := &api.ACLToken{
		AccessorID: trigger.NewID(), SecretID: secret, Name: "Bootstrap Token", Type: api.TokenManagement,
		Policies: []string{}, Global: true, CreateTime: now.UTC(),
	}
	t.SetHash()
	return t
}

var uuidPattern = pattern.New(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func isUUID(s string) bool { return uuidPattern.MatchString(s) }

func (e *Endpoints) aclPolicies() {
	list := func(r *Read, req *api.ListRequest) ([]*api.ACLPolicyListStub, error) {
		l := byName(r.ACLPolicies(), func(p *api.ACLPolicy) string { return p.Name }, (*api.ACLPolicy).Stub)
		l.match = func(p *api.ACLPolicy) bool { return strings.HasPrefix(p.Name, req.Prefix) && r.ownsPolicy(p.Name) }
		return page(r, &req.QueryOptions, l)
	}
	aclRead(e, api.ACLPoliciesList, list)
	aclRead(e, api.ACLPolicySelf, func(r *Read, req *api.ListRequest) ([]*api.ACLPolicyListStub, error) {
		if r.token.ACL.Management() { // it has none, and needs none
			return []*api.ACLPolicyListStub{}, nil
		}
		return list(r, req)
	})
	aclRead(e, api.ACLPolicyRead, func(r *Read, req *api.NameRequest) (*api.ACLPolicy, error) {
		if !r.ownsPolicy(req.Name) {
			return nil, auth.Denied("a management token, or one that has the policy")
		}
		p, ok := r.ACLPolicy(req.Name)
		if !ok {
			return nil, api.Errorf(api.ErrNotFound, "ACL policy not found")
		}
		return p, nil
	})
	aclWrite(e, api.ACLPolicyWrite, aclPolicyWrite)
	aclWrite(e, api.ACLPolicyDelete, func(w *Write, req *api.NameWriteRequest) (api.None, error) {
		_, err := w.apply(&fsm.ACLPolicyDelete{Names: []string{req.Name}})
		return api.None{}, err
	})
}

func (r *Read) ownsPolicy(name string) bool {
	return r.token.ACL.Management() || slices.Contains(r.token.Policies, name)
}

func aclPolicyWrite(w *Write, req *api.ACLPolicyWriteRequest) (api.None, error) {
	p := req.Policy
	switch {
	case p == nil:
		return api.None{}, api.Errorf(api.ErrInvalid, "must specify a policy")
	case p.Name != "" && p.Name != req.Name:
		return api.None{}, api.Errorf(api.ErrInvalid, "ACL policy name does not match request path")
	case !aclName.MatchString(req.Name):
		return api.None{}, api.Errorf(api.ErrInvalid, "invalid name %q; it has 1 to 128 letters, digits and -", req.Name)
	case len(p.Description) > maxDescription:
		return api.None{}, api.Errorf(api.ErrInvalid, "description longer than %d", maxDescription)
	}
	attached, err := attachment(p.JobACL)
	if err != nil {
		return api.None{}, err
	}
	if _, err := auth.Parse(p.Rules); err != nil {
		return api.None{}, err
	}
	stored := &api.ACLPolicy{Name: req.Name, Description: p.Description, Rules: p.Rules, JobACL: attached}
	stored.SetHash()
	_, err = w.apply(&fsm.ACLPolicyUpsert{Policies: []*api.ACLPolicy{stored}})
	return api.None{}, err
}

// attachment checks whose identities a policy is attached to; nil: to none.
func attachment(j *api.JobACL) (*api.JobACL, error) {
	if j == nil || *j == (api.JobACL{}) {
		return nil, nil
	}
	out := *j
	out.Namespace = cmp.Or(out.Namespace, api.DefaultNamespace)
	switch {
	case out.JobID == "":
		return nil, api.Errorf(api.ErrInvalid, "invalid JobACL: a policy that is attached to a namespace, group or task needs the job too (JobID, -job)")
	case out.Task != "" && out.Group == "":
		return nil, api.Errorf(api.ErrInvalid, "invalid JobACL: a policy that is attached to a task needs its group too (Group, -group)")
	case len(out.Namespace) > maxTokenName || len(out.JobID) > maxTokenName || len(out.Group) > maxTokenName || len(out.Task) > maxTokenName:
		return nil, api.Errorf(api.ErrInvalid, "invalid JobACL: names have at most %d bytes", maxTokenName)
	}
	return &out, nil
}
