package server

import (
	"context"
	"fmt"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/keyring"
)

// signature gives the algorithm of new root keys. Those who find the keys by the
// issuer's URL know RSA, and not always Ed25519.
func (s *Server) signature() string {
	if s.cfg.Issuer != "" {
		return api.SignatureRS256
	}
	return api.SignatureEdDSA
}

// firstRootKey gives a cluster that has none a key that signs identities.
func (s *Server) firstRootKey(ctx context.Context) error {
	for range s.store.View().RootKeys() {
		return nil
	}
	key, err := keyring.New(s.signature(), time.Now(), time.Time{})
	if err != nil {
		return err
	}
	if _, err := s.raft.Do(ctx, &fsm.RootKeyAdd{Key: key, First: true}); err != nil {
		return fmt.Errorf("store the first root key: %w", err)
	}
	s.cfg.Logger.Info("the cluster has its first root key", "key_id", key.KeyID)
	return nil
}

// IdentityKeys gives the public halves of the keys that sign identities, as a
// JSON Web Key set: a value to be encoded as JSON.
func (s *Server) IdentityKeys(ctx context.Context) (any, error) {
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	return s.ring.Public(s.store.View())
}

// Issuer gives the URL that identities name as their issuer; empty: none.
func (s *Server) Issuer() string { return s.cfg.Issuer }

// Known says whether a secret is that of a token, or the identity of a task that
// runs: also where access control is off.
func (s *Server) Known(ctx context.Context, secret api.Sensitive) (*auth.Identity, error) {
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	return s.ids.Resolve(s.store.View(), secret)
}
