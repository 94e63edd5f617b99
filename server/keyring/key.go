package keyring

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"iter"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
)

// rsaBits is the size of RSA keys.
const rsaBits = 2048

// Keys are the root keys of a state.
type Keys interface {
	RootKeys() iter.Seq[*api.RootKey]
	RootKey(id string) (*api.RootKey, bool)
}

// New makes a root key that signs from publish on, or from now on where that is
// zero.
func New(algorithm string, now, publish time.Time) (*api.RootKey, error) {
	private, err := generate(algorithm)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	if publish.IsZero() {
		publish = now
	}
	return &api.RootKey{
		KeyID: uuid.NewString(), Algorithm: algorithm, Private: api.Sensitive(base64.StdEncoding.EncodeToString(der)),
		CreateTime: now.UnixNano(), PublishTime: publish.UnixNano(),
	}, nil
}

func generate(algorithm string) (any, error) {
	switch algorithm {
	case api.SignatureEdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case api.SignatureRS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, api.Errorf(api.ErrInvalid, "algorithm %.40q of root keys: it is %s or %s", algorithm, api.SignatureEdDSA, api.SignatureRS256)
}

// Active gives the key that signs at a time: the one that was published last.
// Where none is published yet, it is the one that comes first.
func Active(keys Keys, now time.Time) (*api.RootKey, bool) {
	var best *api.RootKey
	for k := range keys.RootKeys() {
		if best == nil || better(k, best, now.UnixNano()) {
			best = k
		}
	}
	return best, best != nil
}

func better(k, than *api.RootKey, now int64) bool {
	switch {
	case (k.PublishTime <= now) != (than.PublishTime <= now):
		return k.PublishTime <= now
	case k.PublishTime <= now:
		return k.PublishTime > than.PublishTime
	}
	return k.PublishTime < than.PublishTime
}

// Describe tells what people may know of the keys, at a time.
func Describe(keys Keys, now time.Time) []*api.RootKeyMeta {
	active, _ := Active(keys, now)
	out := []*api.RootKeyMeta{}
	for k := range keys.RootKeys() {
		m := &api.RootKeyMeta{
			KeyID: k.KeyID, Algorithm: k.Algorithm, CreateTime: k.CreateTime, PublishTime: k.PublishTime,
			State: api.RootKeyInactive, CreateIndex: k.CreateIndex, ModifyIndex: k.ModifyIndex,
		}
		switch {
		case k.KeyID == active.KeyID:
			m.State = api.RootKeyActive
		case k.PublishTime > now.UnixNano():
			m.State = api.RootKeyPrepublished
		}
		out = append(out, m)
	}
	return out
}

// Public gives the public halves of the keys as a JSON Web Key set.
func (r *Ring) Public(keys Keys) (*jose.JSONWebKeySet, error) {
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for k := range keys.RootKeys() {
		p, err := r.parsed(k)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: p.private.Public(), KeyID: k.KeyID, Algorithm: k.Algorithm, Use: "sig"})
	}
	return set, nil
}

// parsedKey is a root key that can be used.
type parsedKey struct {
	row     *api.RootKey
	private crypto.Signer
	signer  jose.Signer
}

// parsed gives a key of the state ready for use. Rows are immutable, so each is
// read once.
func (r *Ring) parsed(k *api.RootKey) (*parsedKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.keys[k.KeyID]; p != nil && p.row.Private == k.Private {
		return p, nil
	}
	der, err := base64.StdEncoding.DecodeString(k.Private.Reveal())
	if err != nil {
		return nil, fmt.Errorf("root key %s: %w", k.KeyID, err)
	}
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("root key %s: %w", k.KeyID, err)
	}
	private, ok := any.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("root key %s is of a kind that does not sign", k.KeyID)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: jose.JSONWebKey{Key: private, KeyID: k.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("root key %s: %w", k.KeyID, err)
	}
	if len(r.keys) >= maxKeys {
		clear(r.keys)
	}
	p := &parsedKey{k, private, signer}
	r.keys[k.KeyID] = p
	return p, nil
}
