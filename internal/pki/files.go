package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seraihq/serai/internal/tlsx"
)

// CertificatesPEM gives certificates in PEM form, one after the other.
func CertificatesPEM(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		if c != nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
		}
	}
	return b.Bytes()
}

// KeyPEM gives a private key in PEM form (PKCS #8).
func KeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads a private key in PEM form: PKCS #8, or that of an elliptic curve or RSA alone.
func ParseKey(b []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, errors.New("there is no private key in PEM form in it")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a private key: %w", err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a private key of type %T signs nothing", key)
		}
		return signer, nil
	}
}

// LoadAuthority reads an authority: its certificate, behind which its
// predecessor's for it may stand, and its key.
func LoadAuthority(certFile, keyFile string) (*Authority, error) {
	certs, err := tlsx.ReadCertificates(certFile)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	b, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	defer clear(b)
	key, err := ParseKey(b)
	if err != nil {
		return nil, fmt.Errorf("authority: %s: %w", keyFile, err)
	}
	return NewPair(certs, key)
}

// NewPair puts a key and the first of the certificates that is its own together.
func NewPair(certs []*x509.Certificate, key crypto.Signer) (*Authority, error) {
	var a *Authority
	for _, c := range certs {
		own, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !own.Equal(key.Public()) || !c.IsCA {
			continue
		}
		if a == nil {
			a = &Authority{Cert: c, Key: key}
		} else if a.Cross == nil && !bytes.Equal(c.RawIssuer, c.RawSubject) {
			a.Cross = c
		}
	}
	if a == nil {
		return nil, errors.New("authority: the key belongs to none of the certificates")
	}
	return a, nil
}

// WriteNew writes a file that must not exist yet, with mode 0600, durably: it
// is there whole or not at all.
func WriteNew(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w; nothing is overwritten", path, os.ErrExist)
	}
	return write(path, data, true)
}

// Replace writes a file with mode 0600 in the place of one that may be there.
func Replace(path string, data []byte) error { return write(path, data, false) }

func write(path string, data []byte, fresh bool) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if fresh {
		return os.Link(f.Name(), path) // fails where somebody was faster
	}
	return os.Rename(f.Name(), path)
}
