package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"

	"github.com/seraihq/serai/api"
)

// Binding is the label under which both ends of a connection derive what names
// it (RFC 5705), and BindingSize how many bytes that has.
const (
	Binding     = "EXPORTER-serai-join"
	BindingSize = 32
)

// JoinPath is where requests to join go, over a connection of tlsx.ProtoJoin.
const JoinPath = "/join"

// MaxJoin bounds a request to join and its answer in bytes.
const MaxJoin = 64 << 10

// JoinRequest asks for a certificate with a token.
type JoinRequest struct {
	Claims []byte // of the token
	Body   []byte // JSON of JoinBody
	Proof  []byte // Token.Prove over the connection and Body
}

// JoinBody is what a new agent says of itself.
type JoinBody struct {
	Name string // of the agent
	CSR  []byte // DER
	Time int64  // Unix seconds by its own clock
}

// JoinAnswer is what a new agent gets.
type JoinAnswer struct {
	Certificate string // PEM: the certificate and those between it and its authority
	Authorities string // PEM: whom to trust
	Region      string
	Datacenter  string
	Servers     []string // host:port of the RPC ports

	AccessControl bool // the agents of the cluster want tokens
}

// DecodeJoin reads a request to join.
func DecodeJoin(r io.Reader) (*JoinRequest, Claims, *JoinBody, error) {
	var req JoinRequest
	var body JoinBody
	if err := decodeJSON(r, &req); err != nil {
		return nil, Claims{}, nil, err
	}
	c, err := DecodeClaims(req.Claims)
	if err != nil {
		return nil, c, nil, err
	}
	if err := decodeJSON(bytes.NewReader(req.Body), &body); err != nil {
		return nil, c, nil, err
	}
	return &req, c, &body, nil
}

func decodeJSON(r io.Reader, x any) error {
	b, err := io.ReadAll(io.LimitReader(r, MaxJoin+1))
	if err != nil {
		return err
	}
	if len(b) > MaxJoin {
		return api.Errorf(api.ErrTooLarge, "a request to join has more than %d bytes", MaxJoin)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(x); err != nil {
		return api.Errorf(api.ErrInvalid, "request to join: %v; are both sides of the same version?", err)
	}
	return nil
}

// NewRequest asks for a certificate for a key (CSR, DER). What it is for is not
// the asker's to say.
func NewRequest(key crypto.Signer) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
}

// RequestedKey gives the key of a CSR, whose asker has shown to hold its private
// half, unless it is too weak.
func RequestedKey(csr []byte) (crypto.PublicKey, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "request for a certificate: %v", err)
	}
	switch k := r.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize >= 256 {
			return k, nil
		}
	case ed25519.PublicKey:
		return k, nil
	case *rsa.PublicKey:
		if k.Size() >= 256 && k.Size() <= 1024 {
			return k, nil
		}
	}
	return nil, api.Errorf(api.ErrInvalid, "request for a certificate: its key is too weak or of an unknown kind")
}

// Bundle is a certificate with its chain and its key in one PEM, so that both
// change at once.
func Bundle(chain string, key crypto.Signer) ([]byte, error) {
	k, err := KeyPEM(key)
	if err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return nil, errors.New("a certificate is missing")
	}
	return append([]byte(chain), k...), nil
}

// TrustAnswer tells an agent whom to trust.
type TrustAnswer struct {
	Authorities string // PEM: all of them; empty: the cluster's certificates are made by hand
	Active      string // PEM: the one that signs
	Revoked     []string
}

// RenewRequest asks for a new certificate for a new key.
type RenewRequest struct{ CSR []byte }

// RenewAnswer is the new certificate, with those between it and its authority.
type RenewAnswer struct{ Certificate string }

// Secrets are what servers share: they leave a server only for another one.
type Secrets struct {
	Keys   []byte // PEM: of the authorities
	Gossip string // key of server { encrypt }; empty: gossip is not encrypted
}

// Order is a certificate that a server asks the leader to sign and to note. It
// has looked at who it is for.
type Order struct {
	Role      string
	Name      string   // of the agent
	Addresses []string // IP addresses at which it is reached
	CSR       []byte
	Token     string // ID of the token; empty: nobody joins
	Uses      int    // of the token; 0: any number
	Expires   int64  // of the token, Unix nanoseconds
}

// Shown says that the certificate in it, in DER, is used.
type Shown struct{ Certificate []byte }
