package auth

import (
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/keyring"
)

// workload gives the identity behind a signed token: that of a task, for as long
// as its allocation runs. It may do what the policies say that are attached to
// its job, group or task, and nothing else; "anonymous" is not among them.
func (r *Resolver) workload(s State, token api.Sensitive) (*Identity, error) {
	w, err := r.ring.Verify(s, token.Reveal(), r.now())
	if keyring.Forged(err) {
		return nil, secretError{err}
	}
	if err != nil {
		return nil, err
	}
	a, ok := s.Allocation(w.AllocationID)
	switch {
	case !ok || a.Namespace != w.Namespace:
		return nil, api.Errorf(api.ErrDenied, "Permission denied: allocation %s, whose identity this is, is gone", w.AllocationID)
	case a.ClientTerminal():
		return nil, api.Errorf(api.ErrDenied, "Permission denied: allocation %s, whose identity this is, has ended", w.AllocationID)
	}
	w.Group = a.TaskGroup
	rights, err := r.rights(s, w)
	if err != nil {
		return nil, err
	}
	return &Identity{Workload: w, ACL: rights.ACL, Policies: rights.Policies}, nil
}

// rights gives what all allocations of a task may do.
func (r *Resolver) rights(s State, w *api.Workload) (*Identity, error) {
	version := s.ACLVersion()
	key := strings.Join([]string{"task", w.Namespace, w.JobID, w.Group, w.Task}, "\x00")
	r.mu.RLock()
	k, ok := r.known[key]
	r.mu.RUnlock()
	if ok && k.version == version {
		return k.identity, nil
	}
	policies := attachedTo(s, w)
	acl, err := r.Compile(policies)
	if err != nil {
		return nil, err
	}
	identity := &Identity{ACL: acl, Policies: make([]string, len(policies))}
	for i, p := range policies {
		identity.Policies[i] = p.Name
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	makeRoom(r.known, maxKnown)
	r.known[key] = known{nil, version, identity}
	return identity, nil
}

// attachedTo gives the policies that are attached to a task, to its group or to
// its job, by name. Names must be equal: a job whose ID only begins like that of
// another one has nothing of it.
func attachedTo(s State, w *api.Workload) []*api.ACLPolicy {
	var out []*api.ACLPolicy
	for p := range s.ACLPolicies() {
		j := p.JobACL
		if j != nil && j.Namespace == w.Namespace && j.JobID == w.JobID && (j.Group == "" || j.Group == w.Group) && (j.Task == "" || j.Task == w.Task) {
			out = append(out, p)
		}
	}
	return out
}
