package keyring

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
)

const (
	// Audience is that of identities which serai itself takes; the name is Nomad's.
	Audience = "nomadproject.io"
	// MaxToken bounds what is looked at as a signed identity, in bytes.
	MaxToken = 8 << 10
	// Leeway is how far the clocks of servers may be apart.
	Leeway = time.Minute

	maxKeys  = 256
	maxKnown = 4096
)

// Ring signs and checks identities. It is safe for concurrent use.
type Ring struct {
	// Issuer is the URL that tokens name as their issuer; empty: none.
	Issuer string

	mu    sync.Mutex
	keys  map[string]*parsedKey         // by ID
	known map[[sha256.Size]byte]*stated // tokens whose signature was checked
}

// NewRing makes a ring; issuer may be empty.
func NewRing(issuer string) *Ring {
	return &Ring{Issuer: issuer, keys: map[string]*parsedKey{}, known: map[[sha256.Size]byte]*stated{}}
}

// claims is what a token says beside the claims that all have.
type claims struct {
	Namespace    string `json:"nomad_namespace"`
	JobID        string `json:"nomad_job_id"`
	Task         string `json:"nomad_task,omitempty"`
	AllocationID string `json:"nomad_allocation_id"`
}

// stated is what a token says whose signature is good.
type stated struct {
	key      *api.RootKey
	standard jwt.Claims
	workload api.Workload
}

// JobOf gives the ID by which a job is known in identities: that of its parent,
// for what a periodic or parameterized job has started.
func JobOf(j *api.Job) string {
	if j.ParentID != "" {
		return j.ParentID
	}
	return j.ID
}

// Sign makes an identity of a task of an allocation with the key that is active.
func (r *Ring) Sign(keys Keys, a *api.Allocation, task string, id *api.WorkloadIdentity, now time.Time) (*api.SignedIdentity, error) {
	key, ok := Active(keys, now)
	if !ok {
		return nil, api.Errorf(api.ErrUnavailable, "the cluster has no root key yet; its leader is just starting")
	}
	p, err := r.parsed(key)
	if err != nil {
		return nil, err
	}
	job := JobOf(a.Job)
	audience := id.Audience
	if len(audience) == 0 && id.Name == api.DefaultIdentity {
		audience = []string{Audience}
	}
	standard := jwt.Claims{
		Issuer: r.Issuer, ID: uuid.NewString(), Audience: audience,
		Subject:  strings.Join([]string{a.Job.Region, a.Namespace, job, a.TaskGroup, task, id.Name}, ":"),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now),
	}
	out := &api.SignedIdentity{Name: id.Name}
	if id.TTL > 0 {
		end := now.Add(id.TTL.Std())
		standard.Expiry = jwt.NewNumericDate(end)
		out.Expires = end.Unix()
	}
	own := claims{Namespace: a.Namespace, JobID: job, Task: task, AllocationID: a.ID}
	text, err := jwt.Signed(p.signer).Claims(standard).Claims(own).Serialize()
	out.Token = api.Sensitive(text)
	return out, err
}

// Signed says whether a secret looks like a signed identity, and not like that
// of a token in the state.
func Signed(secret string) bool {
	return strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// Verify gives what a signed identity says that is meant for serai, and whose
// time has come and is not over. Errors are of kind ErrDenied.
func (r *Ring) Verify(keys Keys, token string, now time.Time) (*api.Workload, error) {
	s, err := r.read(keys, token)
	if err != nil {
		return nil, err
	}
	err = s.standard.ValidateWithLeeway(jwt.Expected{Time: now}, Leeway)
	switch {
	case err != nil && s.workload.Expires > 0 && now.Unix() > s.workload.Expires:
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the identity has expired at %s", time.Unix(s.workload.Expires, 0).UTC().Format(time.RFC3339))
	case err != nil:
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the identity is not valid yet: it was signed at %s; is the clock of this server right?", s.standard.IssuedAt.Time().UTC().Format(time.RFC3339))
	case !s.standard.Audience.Contains(Audience):
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the identity %q is for others: its audience is not %q", s.workload.Identity, Audience)
	}
	w := s.workload
	return &w, nil
}

// errSignature says that a token is none of ours. What is wrong with it is told
// to nobody.
var errSignature = api.Errorf(api.ErrDenied, "Permission denied: the identity was not signed by this cluster, or by a key that was removed")

// Forged says whether an error is that nobody here has signed the token.
func Forged(err error) bool { return errors.Is(err, errSignature) }

// read checks a token's signature, once.
func (r *Ring) read(keys Keys, token string) (*stated, error) {
	if len(token) > MaxToken {
		return nil, errSignature
	}
	sum := sha256.Sum256([]byte(token))
	r.mu.Lock()
	old := r.known[sum]
	r.mu.Unlock()
	if old != nil {
		if key, ok := keys.RootKey(old.key.KeyID); ok && key.Private == old.key.Private {
			return old, nil
		}
		return nil, errSignature
	}
	s, err := r.check(keys, token)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	r.known[sum] = s
	return s, nil
}

func (r *Ring) check(keys Keys, token string) (*stated, error) {
	t, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA, jose.RS256})
	if err != nil || len(t.Headers) != 1 {
		return nil, errSignature
	}
	key, ok := keys.RootKey(t.Headers[0].KeyID)
	if !ok || t.Headers[0].Algorithm != key.Algorithm {
		return nil, errSignature
	}
	p, err := r.parsed(key)
	if err != nil {
		return nil, err
	}
	s := &stated{key: key}
	var own claims
	if err := t.Claims(p.private.Public(), &s.standard, &own); err != nil {
		return nil, errSignature
	}
	s.workload = api.Workload{Namespace: own.Namespace, JobID: own.JobID, Task: own.Task, AllocationID: own.AllocationID}
	if s.standard.Expiry != nil {
		s.workload.Expires = s.standard.Expiry.Time().Unix()
	}
	if i := strings.LastIndexByte(s.standard.Subject, ':'); i >= 0 {
		s.workload.Identity = s.standard.Subject[i+1:]
	}
	return s, nil
}
