package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Types of tokens.
const (
	TokenClient     = "client"
	TokenManagement = "management"
)

// AnonymousPolicy is the policy of requests without a token.
const AnonymousPolicy = "anonymous"

// OneTimeTokenLife is how long a one-time token can be exchanged.
const OneTimeTokenLife = 10 * time.Minute

// ACLPolicy is a named set of rules. See docs/operate/acl.md for the language.
type ACLPolicy struct {
	Name        string
	Description string
	Rules       string // HCL or JSON
	JobACL      *JobACL
	Hash        []byte
	CreateIndex uint64
	ModifyIndex uint64
}

// JobACL attaches a policy to the identity of a job, group or task.
type JobACL struct {
	Namespace string
	JobID     string
	Group     string
	Task      string
}

// Stub gives what lists show.
func (p *ACLPolicy) Stub() *ACLPolicyListStub {
	return &ACLPolicyListStub{
		Name: p.Name, Description: p.Description, JobACL: p.JobACL, Hash: p.Hash,
		CreateIndex: p.CreateIndex, ModifyIndex: p.ModifyIndex,
	}
}

// SetHash computes the hash of what people say of the policy.
func (p *ACLPolicy) SetHash() {
	p.Hash = hashOf(p.Name, p.Description, p.Rules, fmt.Sprint(p.JobACL != nil), fmt.Sprintf("%+v", p.JobACL))
}

// ACLPolicyListStub is a policy in a list.
type ACLPolicyListStub struct {
	Name        string
	Description string
	JobACL      *JobACL
	Hash        []byte
	CreateIndex uint64
	ModifyIndex uint64
}

// ACLToken lets its holder do what its policies and roles say, or everything.
// JSON never has its secret: see ACLTokenSecret.
type ACLToken struct {
	AccessorID     string
	SecretID       Sensitive
	Name           string
	Type           string // TokenClient or TokenManagement
	Policies       []string
	Roles          []*ACLTokenRoleLink
	Global         bool
	Hash           []byte
	CreateTime     time.Time
	ExpirationTime *time.Time `json:",omitempty"`
	ExpirationTTL  Duration   `json:",omitempty"` // only when it is made
	CreateIndex    uint64
	ModifyIndex    uint64
}

// ACLTokenRoleLink names a role of a token.
type ACLTokenRoleLink struct {
	ID   string
	Name string
}

// Expired says whether the token's time is over.
func (t *ACLToken) Expired(now time.Time) bool {
	return t.ExpirationTime != nil && !now.Before(*t.ExpirationTime)
}

// Management says whether the token may do everything.
func (t *ACLToken) Management() bool { return t.Type == TokenManagement }

// Stub gives what lists show: no secret.
func (t *ACLToken) Stub() *ACLTokenListStub {
	return &ACLTokenListStub{
		AccessorID: t.AccessorID, Name: t.Name, Type: t.Type, Policies: t.Policies, Roles: t.Roles, Global: t.Global, Hash: t.Hash,
		CreateTime: t.CreateTime, ExpirationTime: t.ExpirationTime, CreateIndex: t.CreateIndex, ModifyIndex: t.ModifyIndex,
	}
}

// SetHash computes the hash of what people say of the token.
func (t *ACLToken) SetHash() {
	parts := []string{t.Name, t.Type, fmt.Sprint(t.Global), fmt.Sprintf("%q", t.Policies)}
	for _, r := range t.Roles {
		parts = append(parts, r.ID)
	}
	t.Hash = hashOf(parts...)
}

// ACLTokenListStub is a token in a list.
type ACLTokenListStub struct {
	AccessorID     string
	Name           string
	Type           string
	Policies       []string
	Roles          []*ACLTokenRoleLink
	Global         bool
	Hash           []byte
	CreateTime     time.Time
	ExpirationTime *time.Time `json:",omitempty"`
	CreateIndex    uint64
	ModifyIndex    uint64
}

// ACLTokenSecret is a token as its holder or a manager of tokens sees it: its
// JSON has the secret.
type ACLTokenSecret struct{ *ACLToken }

// MarshalJSON reveals the secret.
func (t ACLTokenSecret) MarshalJSON() ([]byte, error) {
	if t.ACLToken == nil {
		return []byte("null"), nil
	}
	type plain ACLToken
	ttl := ""
	if t.ExpirationTTL != 0 {
		ttl = t.ExpirationTTL.String()
	}
	policies := t.Policies
	if policies == nil {
		policies = []string{}
	}
	return json.Marshal(struct {
		*plain
		SecretID      string
		Policies      []string
		ExpirationTTL string `json:",omitempty"`
	}{(*plain)(t.ACLToken), t.SecretID.Reveal(), policies, ttl})
}

// UnmarshalJSON reads a token with its secret.
func (t *ACLTokenSecret) UnmarshalJSON(b []byte) error {
	t.ACLToken = &ACLToken{}
	return json.Unmarshal(b, t.ACLToken)
}

// ACLRole is a named set of policies.
type ACLRole struct {
	ID          string
	Name        string
	Description string
	Policies    []*ACLRolePolicyLink
	Hash        []byte
	CreateIndex uint64
	ModifyIndex uint64
}

// ACLRolePolicyLink names a policy of a role.
type ACLRolePolicyLink struct{ Name string }

// SetHash computes the hash of what people say of the role.
func (r *ACLRole) SetHash() {
	parts := []string{r.Name, r.Description}
	for _, p := range r.Policies {
		parts = append(parts, p.Name)
	}
	r.Hash = hashOf(parts...)
}

// OneTimeToken can be exchanged once for the token that it was made with.
type OneTimeToken struct {
	OneTimeSecretID Sensitive
	AccessorID      string
	ExpiresAt       time.Time
	CreateIndex     uint64
	ModifyIndex     uint64
}

// OneTimeTokenSecret is a one-time token as its maker sees it.
type OneTimeTokenSecret struct{ *OneTimeToken }

// MarshalJSON reveals the secret.
func (t OneTimeTokenSecret) MarshalJSON() ([]byte, error) {
	if t.OneTimeToken == nil {
		return []byte("null"), nil
	}
	type plain OneTimeToken
	return json.Marshal(struct {
		*plain
		OneTimeSecretID string
	}{(*plain)(t.OneTimeToken), t.OneTimeSecretID.Reveal()})
}

// UnmarshalJSON reads a one-time token with its secret.
func (t *OneTimeTokenSecret) UnmarshalJSON(b []byte) error {
	t.OneTimeToken = &OneTimeToken{}
	return json.Unmarshal(b, t.OneTimeToken)
}

func hashOf(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return slices.Clip(h.Sum(nil))
}

// ACLGrants is what the token of a request may do: for those who offer only that.
type ACLGrants struct {
	Enabled    bool                // false: access control is off, and everybody may do everything
	Management bool                // everything is allowed
	Scopes     []string            // capabilities outside of namespaces: "node:read"
	Namespaces map[string][]string // capabilities in the namespaces that there are; "*": those granted in every one
	NodePools  map[string][]string // "read", "write", "delete", of the node pools that there are
}
