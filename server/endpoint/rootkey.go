package endpoint

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/keyring"
)

const (
	// maxRootKeys bounds the root keys of a cluster.
	maxRootKeys = 64
	// maxPrepublish is how long a root key can be made known before it signs.
	maxPrepublish = 365 * 24 * time.Hour
)

// nomadAlgorithm is what Nomad's clients send as the algorithm: how root keys
// encrypt there.
const nomadAlgorithm = "aes256-gcm"

func (e *Endpoints) rootKeys() {
	read(e, api.RootKeysList, func(r *Read, _ *api.ListRequest) ([]*api.RootKeyMeta, error) {
		return keyring.Describe(r, e.Now()), nil
	})
	write(e, api.RootKeyRotate, e.rootKeyRotate)
	write(e, api.RootKeyDelete, e.rootKeyDelete)
}

func (e *Endpoints) rootKeyRotate(w *Write, req *api.RootKeyRotateRequest) (api.RootKeyRotateResponse, error) {
	algorithm := req.Algorithm
	if algorithm == "" || algorithm == nomadAlgorithm {
		algorithm = e.Signature
	}
	publish := time.Time{}
	if req.PublishTime != 0 {
		publish = time.Unix(0, req.PublishTime)
		if publish.Before(w.Now) || publish.After(w.Now.Add(maxPrepublish)) {
			return api.RootKeyRotateResponse{}, api.Errorf(api.ErrInvalid, "publish_time must be within a year from now, in Unix nanoseconds")
		}
	}
	if n := len(keyring.Describe(w, w.Now)); n >= maxRootKeys {
		return api.RootKeyRotateResponse{}, api.Errorf(api.ErrConflict, "there are %d root keys; remove inactive ones first: serai operator root keyring remove", n)
	}
	key, err := keyring.New(algorithm, w.Now, publish)
	if err != nil {
		return api.RootKeyRotateResponse{}, err
	}
	if _, err := w.apply(&fsm.RootKeyAdd{Key: key}); err != nil {
		return api.RootKeyRotateResponse{}, err
	}
	e.Logger.Info("a root key was made", "key_id", key.KeyID, "algorithm", algorithm, "signs_from", time.Unix(0, key.PublishTime).UTC())
	for _, m := range keyring.Describe(e.Store.View(), w.Now) {
		if m.KeyID == key.KeyID {
			return api.RootKeyRotateResponse{Key: m, Index: m.ModifyIndex}, nil
		}
	}
	return api.RootKeyRotateResponse{}, api.Errorf(api.ErrConflict, "root key %s was removed at once", key.KeyID)
}

// rootKeyDelete removes a key that does not sign. What it signed is not good any
// more, which needs Force while a task may have that.
func (e *Endpoints) rootKeyDelete(w *Write, req *api.RootKeyDeleteRequest) (api.None, error) {
	key, ok := w.RootKey(req.ID)
	if !ok {
		return api.None{}, api.Errorf(api.ErrNotFound, "root key %.40q not found; serai operator root keyring list tells which there are", req.ID)
	}
	if active, _ := keyring.Active(w, w.Now); active.KeyID == key.KeyID {
		return api.None{}, api.Errorf(api.ErrConflict, "root key %s is the one that signs; rotate first: serai operator root keyring rotate", key.KeyID)
	}
	if id, used := mayHaveSigned(w, key); used && !req.Force {
		return api.None{}, api.Errorf(api.ErrConflict, "root key %s may have signed identities of tasks that run, for example of allocation %s: they would be refused; restart them first, or give -force", key.KeyID, id)
	}
	_, err := w.apply(&fsm.RootKeyDelete{KeyID: key.KeyID})
	return api.None{}, err
}

// mayHaveSigned finds an allocation that runs since before the key's successor
// was published, and has identities.
func mayHaveSigned(w *Write, key *api.RootKey) (allocID string, ok bool) {
	if key.PublishTime > w.Now.UnixNano() {
		return "", false
	}
	until := w.Now.UnixNano()
	for k := range w.RootKeys() {
		if k.PublishTime > key.PublishTime {
			until = min(until, k.PublishTime)
		}
	}
	for a := range w.Allocations() {
		if !a.ClientTerminal() && a.CreateTime <= until && hasIdentities(a) {
			return a.ID, true
		}
	}
	return "", false
}

func hasIdentities(a *api.Allocation) bool {
	g := a.Job.LookupTaskGroup(a.TaskGroup)
	if g == nil {
		return false
	}
	for _, t := range g.Tasks {
		if len(t.NeededIdentities()) > 0 {
			return true
		}
	}
	return false
}

// tokenOf gives the access control token of who asks, which a task has not.
func tokenOf(id *auth.Identity) (*api.ACLToken, error) {
	if id.Token == nil {
		return nil, auth.Denied("a token of access control; this is the identity of a task")
	}
	return id.Token, nil
}
