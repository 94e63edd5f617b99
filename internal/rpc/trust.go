package rpc

import (
	"context"
	"crypto/x509"
	"net/http"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
)

// Trust answers agents about certificates. leaf is what the caller shows, whose
// chain was verified.
type Trust interface {
	Trust(ctx context.Context, leaf *x509.Certificate) (*pki.TrustAnswer, error)
	Renew(ctx context.Context, leaf *x509.Certificate, csr []byte) (*pki.RenewAnswer, error)
	Secrets() (*pki.Secrets, error)
	Certify(ctx context.Context, o *pki.Order) (*pki.RenewAnswer, error)
	Shown(ctx context.Context, der []byte) error
	Offer(ctx context.Context, o *pki.Secrets) error
}

// trustRequest asks nothing more than its path says.
type trustRequest struct{}

// trusting answers the calls about certificates; done says that it was one.
func (h *Handler) trusting(w http.ResponseWriter, r *http.Request, body []byte) (done bool, err error) {
	switch r.URL.Path {
	case pathTrust, pathRenew, pathSecrets, pathCertify, pathShown, pathOffer:
	default:
		return false, nil
	}
	if h.trust == nil || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return true, api.Errorf(api.ErrDenied, "Permission denied: %s is for agents with a certificate", r.URL.Path)
	}
	leaf := r.TLS.PeerCertificates[0]
	switch r.URL.Path {
	case pathTrust:
		err = answer(r.Context(), w, body, func(ctx context.Context, _ *trustRequest) (*pki.TrustAnswer, error) { return h.trust.Trust(ctx, leaf) })
	case pathRenew:
		err = answer(r.Context(), w, body, func(ctx context.Context, req *pki.RenewRequest) (*pki.RenewAnswer, error) {
			return h.trust.Renew(ctx, leaf, req.CSR)
		})
	case pathCertify:
		err = answer(r.Context(), w, body, h.trust.Certify)
	case pathShown:
		err = answer(r.Context(), w, body, func(ctx context.Context, req *pki.Shown) (*trustRequest, error) {
			return &trustRequest{}, h.trust.Shown(ctx, req.Certificate)
		})
	case pathOffer:
		err = answer(r.Context(), w, body, func(ctx context.Context, req *pki.Secrets) (*trustRequest, error) {
			return &trustRequest{}, h.trust.Offer(ctx, req)
		})
	case pathSecrets:
		err = answer(r.Context(), w, body, func(context.Context, *trustRequest) (*pki.Secrets, error) { return h.trust.Secrets() })
	}
	return true, err
}

// Trust asks whom to trust.
func (c *Client) Trust(ctx context.Context) (*pki.TrustAnswer, error) {
	return call[pki.TrustAnswer](ctx, c, pathTrust, trustRequest{})
}

// Renew asks for a new certificate for the key of the CSR.
func (c *Client) Renew(ctx context.Context, csr []byte) (*pki.RenewAnswer, error) {
	return call[pki.RenewAnswer](ctx, c, pathRenew, pki.RenewRequest{CSR: csr})
}

// Secrets asks another server for what servers share.
func (c *Client) Secrets(ctx context.Context) (*pki.Secrets, error) {
	return call[pki.Secrets](ctx, c, pathSecrets, trustRequest{})
}

// Certify asks the leader to sign and note a certificate.
func (c *Client) Certify(ctx context.Context, o *pki.Order) (*pki.RenewAnswer, error) {
	return call[pki.RenewAnswer](ctx, c, pathCertify, o)
}

// Shown tells the leader that a certificate is used.
func (c *Client) Shown(ctx context.Context, der []byte) error {
	_, err := call[trustRequest](ctx, c, pathShown, pki.Shown{Certificate: der})
	return err
}

// Offer hands another server the key of an authority that will be trusted soon.
func (c *Client) Offer(ctx context.Context, o *pki.Secrets) error {
	_, err := call[trustRequest](ctx, c, pathOffer, o)
	return err
}
