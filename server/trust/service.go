package trust

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// Life is how long the certificate of an agent is valid. It is renewed when a
// third of that is left.
const Life = 30 * 24 * time.Hour

// Log has commands applied.
type Log interface {
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Config is what New needs.
type Config struct {
	Store      *state.Store
	Log        Log
	Logger     *slog.Logger
	Region     string
	Datacenter string
	Keys       *tlsx.Keys // of the agent; nil: no TLS, and nothing works here
	KeyFile    string     // keys of authorities, the one that signs first; empty: none are signed
	// Gossip gives the key that the servers' gossip is written with now; nil or empty: none.
	Gossip func() string
	// AccessControl says whether the agents of this cluster want tokens.
	AccessControl bool
	// Servers lists the RPC ports of the servers, host:port.
	Servers func() []string
	// LiveServer says whether a server of the name runs.
	LiveServer func(name string) bool
	// Others gives the ways to the other servers that have a vote.
	Others func() []Peer
	// Leader gives the way to the server that leads; nil: it is this one.
	Leader func(ctx context.Context) (Peer, error)
}

// Peer is another server: the one that leads, or one to share a key with.
type Peer interface {
	// Certify signs and notes a certificate; the caller has looked at who asks.
	Certify(ctx context.Context, o *pki.Order) (*pki.RenewAnswer, error)
	// Shown notes that a certificate, in DER, is used.
	Shown(ctx context.Context, der []byte) error
	// Offer hands over the key, in PEM form, of an authority that will be trusted
	// soon; without an error it is on the other server's disk.
	Offer(ctx context.Context, o *pki.Secrets) error
}

// Service signs certificates. Safe for concurrent use.
type Service struct {
	Config
	mu sync.Mutex // guards the key file, and what follows

	offered   crypto.Signer // of an authority that may be trusted soon; nil: none
	offeredAt time.Time
}

// New makes the service; it starts nothing.
func New(c Config) *Service { return &Service{Config: c} }

// Found makes the authority that signed this server's certificate the cluster's,
// when it has none yet and the key is here. The leader calls it.
func (s *Service) Found(ctx context.Context) error {
	if s.Keys == nil || s.KeyFile == "" {
		return nil
	}
	if _, ok := s.Store.View().ActiveAuthority(); ok {
		return nil
	}
	a, err := s.own()
	if err != nil {
		return err
	}
	_, _, err = s.Log.Apply(ctx, &fsm.AuthorityAdd{Authority: describe(a, time.Now())})
	return err
}

// own gives the authority of this agent whose key is here.
func (s *Service) own() (*pki.Authority, error) {
	keys, err := readKeys(s.KeyFile)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if a, err := pki.NewPair(s.Keys.Authorities(), key); err == nil {
			return a, nil
		}
	}
	return nil, fmt.Errorf("tls.ca_key_file %s: none of its keys belongs to an authority of tls.ca_file", s.KeyFile)
}

// Restored looks after the authorities when the state was replaced by that of a
// snapshot. Where nobody has the key of the one that signs in there, the
// authority of this server takes its place: it is another cluster's that was
// restored here, or an older one, and nothing could be signed any more. What is
// without a key is not trusted either: its agents join again.
func (s *Service) Restored(ctx context.Context) error {
	if s.Keys == nil || s.KeyFile == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.signer(""); err == nil {
		return nil
	}
	a, err := s.own()
	if err != nil {
		return err
	}
	next := describe(a, time.Now())
	if _, _, err := s.Log.Apply(ctx, &fsm.AuthorityAdd{Authority: next}); err != nil {
		return err
	}
	for old := range s.Store.View().Authorities() {
		if old.ID == next.ID || old.Active {
			continue
		}
		if _, _, err := s.Log.Apply(ctx, &fsm.AuthorityRetire{ID: old.ID}); err != nil {
			return err
		}
		s.Logger.Warn("the key of an authority of the snapshot is not here: it is not trusted any more, and its agents have to join again", "authority", old.ID, "signs_now", next.ID)
	}
	return nil
}

// Run hands revocations to the agent's keys until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	if s.Keys == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	view, sub := s.Store.Subscribe(1024, state.TableCertificates)
	defer sub.Close()
	for {
		s.Keys.Revoke(revoked(view))
		if _, err := sub.Next(ctx); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		view = s.Store.View()
	}
}

func revoked(v *state.View) map[string]bool {
	out := map[string]bool{}
	for c := range v.Certificates() {
		if c.Revoked != 0 {
			out[c.Serial] = true
		}
	}
	return out
}

// describe gives what the state holds of an authority.
func describe(a *pki.Authority, now time.Time) *api.Authority {
	return &api.Authority{
		ID: authorityID(a.Cert), Certificate: string(pki.CertificatesPEM(a.Cert)), Cross: string(pki.CertificatesPEM(a.Cross)),
		CreateTime: now.UnixNano(),
	}
}

func authorityID(c *x509.Certificate) string {
	h := pki.Hash(c)
	return hex.EncodeToString(h[:])
}

// signer gives an authority with its key: the one that signs where id is empty.
func (s *Service) signer(id string) (*pki.Authority, error) {
	if s.Keys == nil || s.KeyFile == "" {
		return nil, api.Errorf(api.ErrUnavailable, "this server signs no certificates: tls { ca_key_file } is not set; \"serai init\" sets it, or make certificates with \"serai tls cert create\"")
	}
	view := s.Store.View()
	row, ok := view.ActiveAuthority()
	if id != "" {
		row, ok = view.Authority(id)
	}
	if !ok && id != "" {
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the token is of an authority that is not this cluster's, or not any more; make a new one on a server with \"serai join-token create\"")
	}
	if !ok {
		return nil, api.Errorf(api.ErrUnavailable, "the cluster has no authority yet; its leader is just starting")
	}
	keys, err := readKeys(s.KeyFile)
	if err != nil {
		return nil, err
	}
	certs, err := tlsx.ParseCertificates([]byte(row.Certificate + row.Cross))
	if err != nil {
		return nil, fmt.Errorf("authority %s in the state: %w", row.ID, err)
	}
	for _, key := range keys {
		if a, err := pki.NewPair(certs, key); err == nil {
			return a, nil
		}
	}
	return nil, api.Errorf(api.ErrUnavailable, "this server has not got the key of authority %.16s yet; ask another server", row.ID)
}

// readKeys reads every key of a file, the first one first.
func readKeys(path string) ([]crypto.Signer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_key_file: %w", err)
	}
	defer clear(b)
	keys, err := parseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_key_file %s: %w", path, err)
	}
	return keys, nil
}

// parseKeys reads every key of a text in PEM form; none is an error.
func parseKeys(b []byte) ([]crypto.Signer, error) {
	var out []crypto.Signer
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		key, err := pki.ParseKey(pem.EncodeToMemory(block))
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no private key in PEM form in it")
	}
	return out, nil
}

// writeKeys replaces the file of keys, which only its owner reads.
func writeKeys(path string, keys []crypto.Signer) error {
	var all []byte
	defer func() { clear(all) }()
	for _, key := range keys {
		b, err := pki.KeyPEM(key)
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	return pki.Replace(path, all)
}
