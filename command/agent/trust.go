package agent

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/trust"
)

// trustEvery is how often an agent asks whom to trust and whether its
// certificate has to be renewed, and a third of it more at random.
const trustEvery = 30 * time.Second

// signers are whom an agent asks about certificates.
type signers interface {
	Trust(ctx context.Context) (*pki.TrustAnswer, error)
	Renew(ctx context.Context, csr []byte) (*pki.RenewAnswer, error)
}

// ownServer asks the server in the same agent.
type ownServer struct {
	*trust.Service
	keys *tlsx.Keys
}

func (o ownServer) Trust(ctx context.Context) (*pki.TrustAnswer, error) {
	return o.Service.Trust(ctx, o.keys.Leaf())
}

func (o ownServer) Renew(ctx context.Context, csr []byte) (*pki.RenewAnswer, error) {
	return o.Service.Renew(ctx, o.keys.Leaf(), csr)
}

// keepTrust keeps revocations, and with tls.renew the certificate, the
// authorities and on servers their keys, up to date until ctx ends.
func (a *Agent) keepTrust(ctx context.Context) {
	if a.keys == nil || !a.cfg.TLS.RPC {
		return
	}
	if a.server != nil {
		select {
		case <-a.server.Ready():
		case <-ctx.Done():
			return
		}
	}
	every := cmp.Or(a.options.trustEvery, trustEvery)
	for ctx.Err() == nil {
		if err := a.lookAtTrust(ctx); err != nil && ctx.Err() == nil {
			left := time.Until(a.keys.Leaf().NotAfter)
			a.logger.Warn("whom to trust is not known anew, trying again", "err", err, "certificate_expires_in", left.Round(time.Minute).String())
		}
		select {
		case <-time.After(every + rand.N(every/3+1)):
		case <-a.lookNow: // a reload was asked for
		case <-ctx.Done():
		}
	}
}

// signersOf gives whom to ask: a client over a new connection where the servers
// have not noted yet that it uses the certificate that it has now, since the
// open ones were made with another one.
func (a *Agent) signersOf() (from signers, done func()) {
	if a.server != nil {
		return ownServer{a.server.Trust(), a.keys}, func() {}
	}
	if a.shown == a.keys.Own().Serial {
		return a.remote, func() {}
	}
	c := rpc.NewClient(a.remote.Servers(), a.dialer)
	return c, c.Close
}

// lookAtTrust asks once, and takes over what has changed. The certificate comes
// before the authorities: by the new one's chain it is good with the old ones
// too, while an old certificate may not be with the new ones.
func (a *Agent) lookAtTrust(ctx context.Context) error {
	from, done := a.signersOf()
	defer done()
	t, err := from.Trust(ctx)
	if err != nil || t.Authorities == "" {
		return err
	}
	a.shown = a.keys.Own().Serial
	if a.server == nil {
		serials := map[string]bool{}
		for _, s := range t.Revoked {
			serials[s] = true
		}
		a.keys.Revoke(serials)
	}
	if !a.cfg.TLS.Renew {
		return nil
	}
	if a.server != nil && a.cfg.TLS.CAKeyFile != "" {
		if err := a.shareKeys(ctx); err != nil {
			return err
		}
	}
	if due, err := renewalDue(a.keys.Leaf(), t.Active, time.Now()); err != nil {
		return err
	} else if due {
		if err := a.renew(ctx, from); err != nil {
			return fmt.Errorf("renew the certificate: %w", err)
		}
		fresh, done := a.signersOf()
		defer done()
		if _, err := fresh.Trust(ctx); err != nil {
			return err
		}
		a.shown = a.keys.Own().Serial
	}
	return a.takeOver(a.cfg.TLS.CAFile, []byte(t.Authorities))
}

// renewalDue says whether a certificate has to be renewed: two thirds of its
// time are over, or another authority signs now.
func renewalDue(leaf *x509.Certificate, active string, now time.Time) (bool, error) {
	certs, err := tlsx.ParseCertificates([]byte(active))
	if err != nil {
		return false, fmt.Errorf("the authority that the servers tell: %w", err)
	}
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return now.After(leaf.NotBefore.Add(life*2/3)) || leaf.CheckSignatureFrom(certs[0]) != nil, nil
}

// renew gets a certificate for a new key.
func (a *Agent) renew(ctx context.Context, from signers) error {
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	csr, err := pki.NewRequest(key)
	if err != nil {
		return err
	}
	answer, err := from.Renew(ctx, csr)
	if err != nil {
		return err
	}
	whole, err := pki.Bundle(answer.Certificate, key)
	if err != nil {
		return err
	}
	defer clear(whole)
	if err := a.takeOver(a.cfg.TLS.CertFile, whole); err != nil {
		return err
	}
	if a.remote != nil {
		a.remote.Close() // what idles was made with the old one
	}
	leaf := a.keys.Leaf()
	a.logger.Info("the agent has a new certificate", "serial", tlsx.SerialOf(leaf), "expires", leaf.NotAfter.UTC().Format(time.RFC3339))
	return nil
}

// takeOver writes a file of keys and loads them. Where they cannot be used, the
// file is what it was.
func (a *Agent) takeOver(path string, content []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.Equal(old, content) {
		return nil
	}
	if err := pki.Replace(path, content); err != nil {
		return err
	}
	if err := a.reloadKeys(); err != nil {
		if undo := pki.Replace(path, old); undo != nil {
			return fmt.Errorf("%w; and %s could not be put back: %w", err, path, undo)
		}
		return err
	}
	return nil
}

// shareKeys fetches the key of the authority that signs from another server
// where this one has not got it yet, and forgets those that are not trusted.
func (a *Agent) shareKeys(ctx context.Context) error {
	missing, err := a.server.Trust().Tidy()
	if err != nil || !missing {
		return err
	}
	others := slices.DeleteFunc(a.server.Peers(), func(p string) bool { return p == a.rpcAddress() })
	c := rpc.NewClient(others, a.dialer)
	defer c.Close()
	secrets, err := c.Secrets(ctx)
	if err != nil {
		return fmt.Errorf("fetch the key of the new authority from the other servers: %w", err)
	}
	defer clear(secrets.Keys)
	return a.server.Trust().TakeKeys(secrets.Keys)
}
