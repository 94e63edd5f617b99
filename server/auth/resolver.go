package auth

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/keyring"
	"github.com/seraihq/serai/server/state"
)

// State is what a Resolver reads.
type State interface {
	ACLTokenBySecret(secret api.Sensitive) (*api.ACLToken, bool)
	ACLRole(id string) (*api.ACLRole, bool)
	ACLPolicy(name string) (*api.ACLPolicy, bool)
	ACLPolicies() iter.Seq[*api.ACLPolicy]
	ACLVersion() state.ACLVersion
	Allocation(id string) (*api.Allocation, bool)
	keyring.Keys
}

const (
	// maxSecret bounds what is looked up as a secret, in bytes.
	maxSecret = 256
	// maxKnown bounds the identities that are remembered, and maxCompiled the
	// ACLs and the parsed policies.
	maxKnown    = 4096
	maxCompiled = 1024
)

// Resolver finds out who a secret belongs to, and what its owner may do. It is
// safe for concurrent use.
type Resolver struct {
	now  func() time.Time
	ring *keyring.Ring

	mu       sync.RWMutex
	known    map[string]known // by accessor or task; "" is anonymous
	compiled map[string]*ACL  // by the set of policies
	parsed   map[parsedKey]*Policy
}

// known is an identity, and the state that it was made of.
type known struct {
	token    *api.ACLToken
	version  state.ACLVersion
	identity *Identity
}

// parsedKey names the rules of a policy: the hash tells policies apart that had
// the same index in two histories.
type parsedKey struct {
	name  string
	index uint64
	hash  string
}

// NewResolver makes a resolver.
func NewResolver(now func() time.Time) *Resolver {
	return &Resolver{now: now, ring: keyring.NewRing(""), known: map[string]known{}, compiled: map[string]*ACL{}, parsed: map[parsedKey]*Policy{}}
}

// Resolve gives the identity behind a secret; without one, that of everybody,
// which may do what the policy "anonymous" says. Errors are of kind ErrDenied.
func (r *Resolver) Resolve(s State, secret api.Sensitive) (*Identity, error) {
	var token *api.ACLToken
	accessor := ""
	if secret != "" {
		if err := Plausible(secret); err != nil {
			return nil, err
		}
		if keyring.Signed(secret.Reveal()) {
			return r.workload(s, secret)
		}
		var ok bool
		if token, ok = s.ACLTokenBySecret(secret); !ok {
			return nil, errNotFound()
		}
		if token.Expired(r.now()) {
			return nil, errExpired()
		}
		accessor = token.AccessorID
	}
	version := s.ACLVersion()
	r.mu.RLock()
	k, ok := r.known[accessor]
	r.mu.RUnlock()
	if ok && k.token == token && k.version == version {
		return k.identity, nil
	}
	identity, err := r.make(s, token)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	makeRoom(r.known, maxKnown)
	r.known[accessor] = known{token, version, identity}
	return identity, nil
}

// Plausible refuses what is too long to be a secret.
func Plausible(secret api.Sensitive) error {
	if len(secret) > maxSecret && !(keyring.Signed(secret.Reveal()) && len(secret) <= keyring.MaxToken) {
		return errNotFound()
	}
	return nil
}

// makeRoom drops some entries of a full cache, whichever they are.
func makeRoom[K comparable, V any](m map[K]V, size int) {
	if len(m) < size {
		return
	}
	drop := size / 8
	for k := range m {
		delete(m, k)
		if drop--; drop <= 0 {
			return
		}
	}
}

func (r *Resolver) make(s State, token *api.ACLToken) (*Identity, error) {
	if token != nil && token.Management() {
		return &Identity{Token: token, ACL: Everything}, nil
	}
	names := []string{api.AnonymousPolicy}
	if token != nil {
		names = PoliciesOf(s, token)
	}
	var policies []*api.ACLPolicy
	for _, name := range names {
		if p, ok := s.ACLPolicy(name); ok {
			policies = append(policies, p)
		}
	}
	acl, err := r.Compile(policies)
	if err != nil {
		return nil, err
	}
	return &Identity{Token: token, ACL: acl, Policies: names}, nil
}

// PoliciesOf gives the names of the policies of a token and of its roles, sorted.
func PoliciesOf(s State, token *api.ACLToken) []string {
	names := slices.Clone(token.Policies)
	for _, link := range token.Roles {
		role, ok := s.ACLRole(link.ID)
		if !ok {
			continue
		}
		for _, p := range role.Policies {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Compile gives the ACL of stored policies: the same one for the same policies.
func (r *Resolver) Compile(policies []*api.ACLPolicy) (*ACL, error) {
	var key strings.Builder
	for _, p := range policies {
		fmt.Fprintf(&key, "%s@%d@%x,", p.Name, p.ModifyIndex, p.Hash)
	}
	r.mu.RLock()
	acl, ok := r.compiled[key.String()]
	r.mu.RUnlock()
	if ok {
		return acl, nil
	}
	parsed := make([]*Policy, len(policies))
	for i, p := range policies {
		var err error
		if parsed[i], err = r.parse(p); err != nil {
			return nil, err
		}
	}
	acl = Compile(parsed)
	r.mu.Lock()
	defer r.mu.Unlock()
	makeRoom(r.compiled, maxCompiled)
	r.compiled[key.String()] = acl
	return acl, nil
}

// parse reads a stored policy. One that cannot be read may deny something:
// nothing is allowed to who has it.
func (r *Resolver) parse(p *api.ACLPolicy) (*Policy, error) {
	key := parsedKey{p.Name, p.ModifyIndex, string(p.Hash)}
	r.mu.RLock()
	parsed, ok := r.parsed[key]
	r.mu.RUnlock()
	if ok {
		return parsed, nil
	}
	parsed, err := Parse(p.Rules)
	if err != nil {
		return nil, api.Errorf(api.ErrDenied, "Permission denied: policy %q cannot be read, write it anew: %v", p.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	makeRoom(r.parsed, maxCompiled)
	r.parsed[key] = parsed
	return parsed, nil
}
