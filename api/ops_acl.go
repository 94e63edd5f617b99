package api

import (
	"encoding/json"
	"net/http"
)

// Operations on access control. Those that need any token show a token what is
// its own, and a management token everything.
var (
	ACLBootstrap = write[ACLBootstrapRequest, ACLTokenSecret]("ACL.Bootstrap", http.MethodPut, "/v1/acl/bootstrap", "", NamespaceNone)

	ACLPoliciesList = read[ListRequest, []*ACLPolicyListStub]("ACLPolicies.List", "/v1/acl/policies", "token", NamespaceNone)
	ACLPolicySelf   = read[ListRequest, []*ACLPolicyListStub]("ACLPolicy.Self", "/v1/acl/policy/self", "token", NamespaceNone)
	ACLPolicyRead   = read[NameRequest, *ACLPolicy]("ACLPolicy.Read", "/v1/acl/policy/{name}", "token", NamespaceNone)
	ACLPolicyWrite  = write[ACLPolicyWriteRequest, None]("ACLPolicy.Write", http.MethodPut, "/v1/acl/policy/{name}", "management", NamespaceNone)
	ACLPolicyDelete = write[NameWriteRequest, None]("ACLPolicy.Delete", http.MethodDelete, "/v1/acl/policy/{name}", "management", NamespaceNone)

	ACLTokensList  = read[ACLTokensListRequest, []*ACLTokenListStub]("ACLTokens.List", "/v1/acl/tokens", "management", NamespaceNone)
	ACLTokenCreate = write[ACLTokenCreateRequest, ACLTokenSecret]("ACLToken.Create", http.MethodPut, "/v1/acl/token", "management", NamespaceNone)
	ACLTokenSelf   = read[ListRequest, ACLTokenSecret]("ACLToken.Self", "/v1/acl/token/self", "token", NamespaceNone)
	ACLTokenGrants = read[ListRequest, *ACLGrants]("ACLToken.Grants", "/v1/acl/token/self/grants", "filter", NamespaceNone)
	ACLTokenRead   = read[IDRequest, ACLTokenSecret]("ACLToken.Read", "/v1/acl/token/{id}", "token", NamespaceNone)
	ACLTokenUpdate = write[ACLTokenUpdateRequest, ACLTokenSecret]("ACLToken.Update", http.MethodPut, "/v1/acl/token/{id}", "management", NamespaceNone)
	ACLTokenDelete = write[IDWriteRequest, None]("ACLToken.Delete", http.MethodDelete, "/v1/acl/token/{id}", "management", NamespaceNone)

	ACLOneTimeCreate   = write[WriteRequest, OneTimeTokenResponse]("ACLToken.OneTime", http.MethodPut, "/v1/acl/token/onetime", "token", NamespaceNone)
	ACLOneTimeExchange = write[OneTimeTokenExchangeRequest, OneTimeTokenExchangeResponse]("ACLToken.OneTimeExchange", http.MethodPut, "/v1/acl/token/onetime/exchange", "", NamespaceNone)

	ACLRolesList      = read[ListRequest, []*ACLRole]("ACLRoles.List", "/v1/acl/roles", "token", NamespaceNone)
	ACLRoleCreate     = write[ACLRoleCreateRequest, *ACLRole]("ACLRole.Create", http.MethodPut, "/v1/acl/role", "management", NamespaceNone)
	ACLRoleRead       = read[IDRequest, *ACLRole]("ACLRole.Read", "/v1/acl/role/{id}", "token", NamespaceNone)
	ACLRoleReadByName = read[NameRequest, *ACLRole]("ACLRole.ReadByName", "/v1/acl/role/name/{name}", "token", NamespaceNone)
	ACLRoleUpdate     = write[ACLRoleUpdateRequest, *ACLRole]("ACLRole.Update", http.MethodPut, "/v1/acl/role/{id}", "management", NamespaceNone)
	ACLRoleDelete     = write[IDWriteRequest, None]("ACLRole.Delete", http.MethodDelete, "/v1/acl/role/{id}", "management", NamespaceNone)
)

// IDWriteRequest changes an object by its ID.
type IDWriteRequest struct {
	WriteOptions
	ID string `path:"id" json:"-"`
}

// ACLBootstrapRequest asks for the first management token; its secret is made
// where none is given.
type ACLBootstrapRequest struct {
	WriteOptions
	BootstrapSecret Sensitive
}

// MarshalJSON sends the secret to where it is needed.
func (r ACLBootstrapRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct{ BootstrapSecret string }{r.BootstrapSecret.Reveal()})
}

// ACLPolicyWriteRequest creates or changes the policy in the path.
type ACLPolicyWriteRequest struct {
	WriteOptions
	Name   string     `path:"name" json:"-"`
	Policy *ACLPolicy `body:"" json:"-"`
}

// ACLTokensListRequest asks for tokens.
type ACLTokensListRequest struct {
	QueryOptions
	Global bool `query:"global" json:"-"` // only those of every region
}

// ACLTokenCreateRequest makes a token.
type ACLTokenCreateRequest struct {
	WriteOptions
	Token *ACLTokenSecret `body:"" json:"-"`
}

// ACLTokenUpdateRequest changes the token in the path, or makes it with an
// accessor and a secret that are given.
type ACLTokenUpdateRequest struct {
	WriteOptions
	ID    string          `path:"id" json:"-"`
	Token *ACLTokenSecret `body:"" json:"-"`
}

// OneTimeTokenResponse answers the making of a one-time token.
type OneTimeTokenResponse struct{ OneTimeToken OneTimeTokenSecret }

// OneTimeTokenExchangeRequest gives a one-time token for the token behind it.
type OneTimeTokenExchangeRequest struct {
	WriteOptions
	OneTimeSecretID Sensitive
}

// MarshalJSON sends the secret to where it is needed.
func (r OneTimeTokenExchangeRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct{ OneTimeSecretID string }{r.OneTimeSecretID.Reveal()})
}

// OneTimeTokenExchangeResponse is the token behind a one-time token.
type OneTimeTokenExchangeResponse struct{ Token ACLTokenSecret }

// ACLRoleCreateRequest makes a role.
type ACLRoleCreateRequest struct {
	WriteOptions
	Role *ACLRole `body:"" json:"-"`
}

// ACLRoleUpdateRequest changes the role in the path.
type ACLRoleUpdateRequest struct {
	WriteOptions
	ID   string   `path:"id" json:"-"`
	Role *ACLRole `body:"" json:"-"`
}
