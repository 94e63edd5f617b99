package fsm

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// RootKeyAdd adds a root key; with First only where there is none yet. No result.
type RootKeyAdd struct {
	Key   *api.RootKey
	First bool
}

func (c *RootKeyAdd) apply(tx *state.Tx) (any, error) {
	if c.Key == nil || c.Key.KeyID == "" || c.Key.Private == "" {
		return nil, api.Errorf(api.ErrInvalid, "root key: none given")
	}
	if _, taken := tx.RootKey(c.Key.KeyID); taken {
		return nil, api.Errorf(api.ErrConflict, "root key %s is there already", c.Key.KeyID)
	}
	if c.First {
		for range tx.RootKeys() {
			return nil, nil
		}
	}
	tx.PutRootKey(c.Key)
	return nil, nil
}

// RootKeyDelete removes a root key. No result.
type RootKeyDelete struct {
	KeyID string
}

func (c *RootKeyDelete) apply(tx *state.Tx) (any, error) {
	if _, ok := tx.RootKey(c.KeyID); !ok {
		return nil, api.Errorf(api.ErrNotFound, "root key %s not found", c.KeyID)
	}
	tx.DeleteRootKey(c.KeyID)
	return nil, nil
}
