package pki

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

func newToken(t testing.TB, a *Authority) *Token {
	t.Helper()
	c := Claims{Role: tlsx.RoleClient, Uses: 3, Expires: time.Unix(1800000000, 0)}
	_, _ = rand.Read(c.ID[:])
	token, err := NewToken(a, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestToken(t *testing.T) {
	a, err := NewAuthority(AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other, _ := NewAuthority(AuthorityOptions{})
	token := newToken(t, a)
	read, err := ParseToken(" " + token.Text() + "\n")
	if err != nil || read.Claims != token.Claims {
		t.Fatalf("%+v, %v", read, err)
	}
	binding, request := []byte("this connection"), []byte("let me in")
	proof := read.Prove(binding, request)
	good := func(by *Authority, c Claims, binding, request, proof []byte) bool {
		ok, err := by.Check(c, binding, request, proof)
		return ok && err == nil
	}
	if !good(a, token.Claims, binding, request, proof) {
		t.Error("a good proof is refused")
	}
	longer := token.Claims
	longer.Expires = longer.Expires.Add(time.Hour)
	server := token.Claims
	server.Role = tlsx.RoleServer
	for name, bad := range map[string]bool{
		"another authority":  good(other, token.Claims, binding, request, proof),
		"a longer life":      good(a, longer, binding, request, proof),
		"another role":       good(a, server, binding, request, proof),
		"another connection": good(a, token.Claims, []byte("that connection"), request, proof),
		"another request":    good(a, token.Claims, binding, []byte("let her in"), proof),
		"no proof":           good(a, token.Claims, binding, request, nil),
	} {
		if bad {
			t.Errorf("%s: taken", name)
		}
	}
	if bytes.Contains([]byte(token.Text()), token.secret) || strings.Contains(string(proof), string(token.secret)) {
		t.Error("the secret is shown")
	}
	for _, text := range []string{"", "sj1.", "sj2." + token.Text()[4:], token.Text()[:50], token.Text() + "AAAA", "sj1." + strings.Repeat("A", 10000), strings.Replace(token.Text(), token.Text()[10:11], "!", 1)} {
		if _, err := ParseToken(text); err == nil || !strings.Contains(err.Error(), "no join token") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestFilesAreNotOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := WriteNew(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := WriteNew(path, []byte("two")); err == nil {
		t.Error("overwritten")
	}
	if err := Replace(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	info, _ := os.Stat(path)
	if string(b) != "three" || info.Mode().Perm() != 0o600 {
		t.Errorf("%s, %s", b, info.Mode())
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left over: %v", entries)
	}
}

func FuzzToken(f *testing.F) {
	a, err := NewAuthority(AuthorityOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(newToken(f, a).Text())
	f.Add("sj1.AAAA")
	f.Add("sj1.AX00AAAA00000000000\n" + strings.Repeat("0", 88))
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		if got := token.Text(); got != strings.TrimSpace(text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func FuzzJoin(f *testing.F) {
	a, err := NewAuthority(AuthorityOptions{})
	if err != nil {
		f.Fatal(err)
	}
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	csr, err := NewRequest(key)
	if err != nil {
		f.Fatal(err)
	}
	body, _ := json.Marshal(JoinBody{Name: "n", CSR: csr, Time: 1})
	whole, _ := json.Marshal(JoinRequest{Claims: newToken(f, a).Encode(), Body: body, Proof: []byte{1}})
	f.Add(whole)
	f.Add([]byte(`{"Claims":""}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, c, body, err := DecodeJoin(bytes.NewReader(b))
		if err != nil {
			return
		}
		_, _ = RequestedKey(body.CSR)
		if d, err := DecodeClaims(c.Encode()); err != nil || d != c {
			panic("claims do not survive")
		}
	})
}
