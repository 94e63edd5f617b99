package endpoint

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

func (e *Endpoints) aclRoles() {
	aclRead(e, api.ACLRolesList, func(r *Read, req *api.ListRequest) ([]*api.ACLRole, error) {
		l := byName(r.ACLRoles(), func(x *api.ACLRole) string { return x.ID }, same[*api.ACLRole])
		l.match = func(x *api.ACLRole) bool { return strings.HasPrefix(x.ID, req.Prefix) && r.ownsRole(x.ID) }
		return page(r, &req.QueryOptions, l)
	})
	aclRead(e, api.ACLRoleRead, func(r *Read, req *api.IDRequest) (*api.ACLRole, error) {
		x, ok := r.ACLRole(req.ID)
		return r.roleFor(x, ok)
	})
	aclRead(e, api.ACLRoleReadByName, func(r *Read, req *api.NameRequest) (*api.ACLRole, error) {
		x, ok := r.ACLRoleByName(req.Name)
		return r.roleFor(x, ok)
	})
	aclWrite(e, api.ACLRoleCreate, func(w *Write, req *api.ACLRoleCreateRequest) (*api.ACLRole, error) {
		if req.Role != nil && req.Role.ID != "" {
			return nil, api.Errorf(api.ErrInvalid, "a new role takes no ID; change one with PUT /v1/acl/role/%s", req.Role.ID)
		}
		return aclRoleWrite(w, req.Role, trigger.NewID(), true)
	})
	aclWrite(e, api.ACLRoleUpdate, func(w *Write, req *api.ACLRoleUpdateRequest) (*api.ACLRole, error) {
		if req.Role != nil && req.Role.ID != "" && req.Role.ID != req.ID {
			return nil, api.Errorf(api.ErrInvalid, "ACL role ID does not match request path")
		}
		return aclRoleWrite(w, req.Role, req.ID, false)
	})
	aclWrite(e, api.ACLRoleDelete, func(w *Write, req *api.IDWriteRequest) (api.None, error) {
		_, err := w.apply(&fsm.ACLRoleDelete{IDs: []string{req.ID}})
		return api.None{}, err
	})
}

func (r *Read) ownsRole(id string) bool {
	return r.token.ACL.Management() || r.token.Token != nil &&
		slices.ContainsFunc(r.token.Token.Roles, func(l *api.ACLTokenRoleLink) bool { return l.ID == id })
}

// roleFor shows a role to those who have it.
func (r *Read) roleFor(x *api.ACLRole, found bool) (*api.ACLRole, error) {
	switch {
	case found && r.ownsRole(x.ID):
		return x, nil
	case r.token.ACL.Management():
		return nil, api.Errorf(api.ErrNotFound, "ACL role not found")
	}
	return nil, auth.Denied("a management token, or one that has the role")
}

func aclRoleWrite(w *Write, given *api.ACLRole, id string, create bool) (*api.ACLRole, error) {
	switch {
	case given == nil:
		return nil, api.Errorf(api.ErrInvalid, "must specify a role")
	case !aclName.MatchString(given.Name):
		return nil, api.Errorf(api.ErrInvalid, "invalid name %q; it has 1 to 128 letters, digits and -", given.Name)
	case len(given.Description) > maxDescription:
		return nil, api.Errorf(api.ErrInvalid, "description longer than %d", maxDescription)
	case len(given.Policies) == 0:
		return nil, api.Errorf(api.ErrInvalid, "at least one policy should be specified")
	}
	x := &api.ACLRole{ID: id, Name: given.Name, Description: given.Description}
	for _, p := range given.Policies {
		if p == nil || p.Name == "" {
			return nil, api.Errorf(api.ErrInvalid, "a policy of role %q has no name", given.Name)
		}
		if !slices.ContainsFunc(x.Policies, func(l *api.ACLRolePolicyLink) bool { return l.Name == p.Name }) {
			x.Policies = append(x.Policies, &api.ACLRolePolicyLink{Name: p.Name})
		}
	}
	x.SetHash()
	result, err := w.apply(&fsm.ACLRoleUpsert{Role: x, Create: create})
	if err != nil {
		return nil, err
	}
	return result.(*api.ACLRole), nil
}
