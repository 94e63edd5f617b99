package pki

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
)

// Token lets one machine, or several, join a cluster. It names the cluster's
// authority by its hash, so that its holder knows whom to believe, and carries
// a secret that follows from the authority's key and the rest of the token, so
// that any server can check it without having stored it.
type Token struct {
	Claims
	secret []byte
}

// Claims are the part of a token that is no secret.
type Claims struct {
	Role      tlsx.Role // server or client
	Uses      uint16    // how many may join with it; 0: any number
	Expires   time.Time // whole seconds
	ID        [8]byte
	Authority [sha256.Size]byte
}

// TokenPrefix begins every token in text.
const TokenPrefix = "sj1."

const (
	claimsSize = 1 + 2 + 8 + 8 + sha256.Size
	tokenSize  = claimsSize + sha256.Size
	maxToken   = 256 // of the text
)

// NewToken makes a token by an authority.
func NewToken(a *Authority, c Claims) (*Token, error) {
	if c.Role != tlsx.RoleServer && c.Role != tlsx.RoleClient {
		return nil, api.Errorf(api.ErrInvalid, "a token is for a server or a client, not for %q", c.Role)
	}
	c.Authority = Hash(a.Cert)
	secret, err := a.secret(c)
	return &Token{c, secret}, err
}

// Name is the token's ID in hexadecimal, which is no secret.
func (c Claims) Name() string { return hex.EncodeToString(c.ID[:]) }

// Encode gives the claims in bytes.
func (c Claims) Encode() []byte {
	b := make([]byte, 0, claimsSize)
	role := byte(1)
	if c.Role == tlsx.RoleServer {
		role = 2
	}
	b = append(b, role)
	b = binary.BigEndian.AppendUint16(b, c.Uses)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Expires.Unix()))
	b = append(b, c.ID[:]...)
	return append(b, c.Authority[:]...)
}

// DecodeClaims reads what Encode gave.
func DecodeClaims(b []byte) (Claims, error) {
	var c Claims
	if len(b) != claimsSize || b[0] < 1 || b[0] > 2 {
		return c, errToken("it has a wrong length or is of a newer version")
	}
	c.Role = map[byte]tlsx.Role{1: tlsx.RoleClient, 2: tlsx.RoleServer}[b[0]]
	c.Uses = binary.BigEndian.Uint16(b[1:])
	seconds := binary.BigEndian.Uint64(b[3:])
	if seconds > 1<<40 {
		return c, errToken("its time is out of range")
	}
	c.Expires = time.Unix(int64(seconds), 0)
	copy(c.ID[:], b[11:])
	copy(c.Authority[:], b[19:])
	return c, nil
}

func errToken(why string) error {
	return api.Errorf(api.ErrInvalid, "this is no join token: %s; copy all of it from \"serai init\" or \"serai join-token create\"", why)
}

// Text gives the token as people copy it. It is a secret.
func (t *Token) Text() string {
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(append(t.Encode(), t.secret...))
}

// ParseToken reads what Text gave.
func ParseToken(text string) (*Token, error) {
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, TokenPrefix)
	if !ok || len(text) > maxToken {
		return nil, errToken("it does not begin with " + TokenPrefix)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) != tokenSize || strings.ContainsAny(rest, "\r\n") { // which base64 passes over
		return nil, errToken("a part of it is missing or changed")
	}
	c, err := DecodeClaims(b[:claimsSize])
	return &Token{c, b[claimsSize:]}, err
}

// Prove shows that the holder of the token makes a request on a connection,
// which binding names, without showing the secret.
func (t *Token) Prove(binding, request []byte) []byte { return prove(t.secret, binding, request) }

// Check says whether a proof was made with the token that has these claims.
func (a *Authority) Check(c Claims, binding, request, proof []byte) (bool, error) {
	secret, err := a.secret(c)
	return err == nil && hmac.Equal(prove(secret, binding, request), proof), err
}

func prove(secret, binding, request []byte) []byte {
	m := hmac.New(sha256.New, secret)
	sum := sha256.Sum256(request)
	fmt.Fprintf(m, "serai join 1\x00%d\x00", len(binding))
	m.Write(binding)
	m.Write(sum[:])
	return m.Sum(nil)
}

// secret derives a token's secret: HMAC over the claims, under a key that
// follows from the authority's own and is used for nothing else.
func (a *Authority) secret(c Claims) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.Key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	key, err := hkdf.Key(sha256.New, der, nil, "serai join token 1", sha256.Size)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, key)
	m.Write(c.Encode())
	return m.Sum(nil), nil
}
