package trust

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
)

const (
	// offerTimeout is how long another server may take to keep a key.
	offerTimeout = 5 * time.Second
	// offerKept is how long a key is kept whose authority is not trusted yet.
	offerKept = 10 * time.Minute
)

// spread hands a key to the other servers, and fails unless a majority of all
// has it then.
func (s *Service) spread(ctx context.Context, key crypto.Signer) error {
	if s.Others == nil {
		return nil
	}
	text, err := pki.KeyPEM(key)
	if err != nil {
		return err
	}
	defer clear(text)
	ctx, cancel := context.WithTimeout(ctx, offerTimeout)
	defer cancel()
	others := s.Others()
	results := make(chan error, len(others))
	for _, o := range others {
		go func() { results <- o.Offer(ctx, &pki.Secrets{Keys: slices.Clone(text)}) }()
	}
	has, failed := 1, error(nil)
	for range others {
		if err := <-results; err != nil {
			failed = errors.Join(failed, err)
		} else {
			has++
		}
	}
	if all := len(others) + 1; has <= all/2 {
		return api.Errorf(api.ErrUnavailable, "%d of %d servers have the key of the new authority, and a majority is needed; nothing has changed, try again when they run: %v", has, all, failed)
	}
	return nil
}

// Offer takes the key of an authority that will be trusted soon from the server
// that leads.
func (s *Service) Offer(_ context.Context, o *pki.Secrets) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Keys == nil || s.KeyFile == "" {
		return api.Errorf(api.ErrUnavailable, "this server keeps no keys of authorities: tls { ca_key_file } is not set")
	}
	keys, err := parseKeys(o.Keys)
	if err != nil || len(keys) != 1 {
		return api.Errorf(api.ErrInvalid, "one private key is offered at a time: %v", err)
	}
	before, err := readKeys(s.KeyFile)
	if err != nil {
		return err
	}
	s.offered, s.offeredAt = keys[0], time.Now()
	return writeKeys(s.KeyFile, append(before, keys[0]))
}

// isOffered says whether a key is one that was offered a moment ago. The caller
// holds the lock.
func (s *Service) isOffered(key crypto.Signer) bool {
	if s.offered == nil || time.Since(s.offeredAt) > offerKept {
		return false
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(s.offered.Public())
}
