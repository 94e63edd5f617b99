package state

import (
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

func newRootKeys(s *table.Store) *byID[*api.RootKey] {
	return addByID(s, TableRootKeys, func(k *api.RootKey) string { return k.KeyID }, func(k *api.RootKey) uint64 { return k.ModifyIndex })
}

// RootKeys returns every root key, by ID.
func (r Reader) RootKeys() iter.Seq[*api.RootKey] { return tablesOf(r.t).rootKeys.All(r.r) }

// RootKey returns the root key with the ID.
func (r Reader) RootKey(id string) (*api.RootKey, bool) { return tablesOf(r.t).rootKeys.Get(r.r, id) }

// PutRootKey writes a root key.
func (tx *Tx) PutRootKey(k *api.RootKey) {
	k.CreateIndex, k.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.RootKey(k.KeyID); ok {
		k.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).rootKeys.Put(tx.tx, k)
}

// DeleteRootKey removes a root key.
func (tx *Tx) DeleteRootKey(id string) { tablesOf(tx.t).rootKeys.Delete(tx.tx, id) }
