package trust

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// world is a service on the real state, with a server's keys.
type world struct {
	*Service
	mu    sync.Mutex
	fsm   *fsm.FSM
	index uint64
	first *pki.Authority
}

// Apply puts a command through its encoding into the state.
func (w *world) Apply(_ context.Context, c fsm.Command) (any, uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	w.index++
	result, err := w.fsm.Apply(w.index, b)
	return result, w.index, err
}

func newWorld(t *testing.T) *world {
	t.Helper()
	a, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{fsm: fsm.New(state.New()), first: a}
	dir := t.TempDir()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Issue(pki.Request{Public: key.Public(), Role: tlsx.RoleServer, Region: "global", Node: "first", Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := pki.Bundle(string(pki.CertificatesPEM(cert)), key)
	if err != nil {
		t.Fatal(err)
	}
	f := tlsx.Files{CA: filepath.Join(dir, "ca"), Cert: filepath.Join(dir, "agent"), Key: filepath.Join(dir, "agent")}
	if err := errors.Join(pki.WriteNew(f.CA, pki.CertificatesPEM(a.Cert)), pki.WriteNew(f.Cert, whole), writeKeys(filepath.Join(dir, "ca-key"), []crypto.Signer{a.Key})); err != nil {
		t.Fatal(err)
	}
	keys, err := tlsx.Open(tlsx.Options{Files: f})
	if err != nil {
		t.Fatal(err)
	}
	w.Service = New(Config{
		Store: w.fsm.Store(), Log: w, Logger: slog.New(slog.DiscardHandler), Region: "global", Datacenter: "dc1", Keys: keys,
		KeyFile: filepath.Join(dir, "ca-key"), Gossip: func() string { return "hush" },
		Servers: func() []string { return []string{"10.0.0.1:4647"} }, LiveServer: func(name string) bool { return name == "first" },
		Leader: func(context.Context) (Peer, error) { return nil, nil },
	})
	if err := w.Found(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// joiner is an agent that asks to join.
type joiner struct {
	token   *pki.Token
	name    string
	time    time.Time
	binding string // the connection that the proof is for
	key     crypto.Signer
}

func (w *world) joiner(t *testing.T, req *api.JoinTokenRequest) joiner {
	t.Helper()
	resp, err := w.NewToken(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	token, err := pki.ParseToken(resp.Token)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return joiner{token, "new", time.Now(), "here", key}
}

func (w *world) join(t *testing.T, j joiner) (*pki.JoinAnswer, error) {
	t.Helper()
	csr, err := pki.NewRequest(j.key)
	if err != nil {
		t.Fatal(err)
	}
	body := &pki.JoinBody{Name: j.name, CSR: csr, Time: j.time.Unix()}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req := &pki.JoinRequest{Claims: j.token.Encode(), Body: text, Proof: j.token.Prove([]byte(j.binding), text)}
	return w.Join(t.Context(), req, j.token.Claims, body, []byte("here"), net.IPv4(10, 0, 0, 7))
}

func leafOf(t *testing.T, chain string) *x509.Certificate {
	t.Helper()
	certs, err := tlsx.ParseCertificates([]byte(chain))
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

func TestJoin(t *testing.T) {
	w := newWorld(t)
	for _, role := range []string{"client", "server"} {
		j := w.joiner(t, &api.JoinTokenRequest{Role: role})
		answer, err := w.join(t, j)
		if err != nil {
			t.Fatal(err)
		}
		leaf := leafOf(t, answer.Certificate)
		p := tlsx.PeerOf(leaf)
		if !p.Is(tlsx.Role(role), "global") || p.Node != "new" || leaf.IPAddresses[2].String() != "10.0.0.7" || leaf.NotAfter.After(time.Now().Add(Life+time.Hour)) {
			t.Errorf("%s: %+v, %v until %s", role, p, leaf.IPAddresses, leaf.NotAfter)
		}
		if role == "client" && (p.Is(tlsx.RoleServer, "global") || p.Is(tlsx.RoleCLI, "global")) {
			t.Error("a client's token makes more of its holder")
		}
		if answer.Region != "global" || answer.Servers[0] != "10.0.0.1:4647" || strings.Contains(answer.Authorities+answer.Certificate, "PRIVATE") {
			t.Errorf("answer %+v", answer)
		}
		if _, err := w.join(t, j); !errors.Is(err, api.ErrDenied) || !strings.Contains(err.Error(), "used already") {
			t.Errorf("again: %v", err)
		}
	}
}

func TestJoinIsRefused(t *testing.T) {
	w := newWorld(t)
	other := newWorld(t)
	live := w.joiner(t, &api.JoinTokenRequest{})
	live.name = "living"
	down := &api.Node{ID: "00000000-0000-0000-0000-000000000001", Name: "dead", SecretID: "s", Status: api.NodeStatusDown}
	up := &api.Node{ID: "00000000-0000-0000-0000-000000000002", Name: "living", SecretID: "s", Status: api.NodeStatusReady}
	for _, n := range []*api.Node{down, up} {
		if _, _, err := w.Apply(t.Context(), &fsm.NodeRegister{Node: n, Time: 1}); err != nil {
			t.Fatal(err)
		}
	}
	revoked := w.joiner(t, &api.JoinTokenRequest{})
	if err := w.RevokeToken(t.Context(), revoked.token.Name()); err != nil {
		t.Fatal(err)
	}
	passedOn := w.joiner(t, &api.JoinTokenRequest{})
	passedOn.binding = "elsewhere"
	late := w.joiner(t, &api.JoinTokenRequest{})
	late.time = time.Now().Add(-365 * 24 * time.Hour)
	early := late
	early.time = time.Now().Add(365 * 24 * time.Hour)
	longer := w.joiner(t, &api.JoinTokenRequest{})
	longer.token.Expires = longer.token.Expires.Add(time.Hour)
	server := w.joiner(t, &api.JoinTokenRequest{Role: "server"})
	server.name = "first"
	odd := w.joiner(t, &api.JoinTokenRequest{})
	odd.name = "../etc"
	c := pki.Claims{Role: tlsx.RoleClient, Uses: 1, Expires: time.Now().Add(-time.Minute).Truncate(time.Second)}
	_, _ = rand.Read(c.ID[:])
	over := w.joiner(t, &api.JoinTokenRequest{})
	var err error
	if over.token, err = pki.NewToken(w.first, c); err != nil {
		t.Fatal(err)
	}
	for want, j := range map[string]joiner{
		"not this cluster's":       other.joiner(t, &api.JoinTokenRequest{}),
		"revoked":                  revoked,
		"not one of this cluster":  passedOn,
		"not one of this cluster;": longer,
		"set the clock":            late,
		"set the clock, then":      early,
		`client named "living"`:    live,
		`server named "first"`:     server,
		"cannot be the name":       odd,
		"the token expired at":     over,
	} {
		if _, err := w.join(t, j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if n := len(Describe(w.Store.View().Reader).Certificates); n != 0 {
		t.Errorf("%d certificates were noted", n)
	}
	again := w.joiner(t, &api.JoinTokenRequest{})
	again.name = "dead"
	if _, err := w.join(t, again); err != nil {
		t.Errorf("the name of a node that is down: %v", err)
	}
}

// Two servers that let agents in at once do not let in one too many.
func TestUsesAreCountedInTheLog(t *testing.T) {
	w := newWorld(t)
	j := w.joiner(t, &api.JoinTokenRequest{Uses: 3})
	var work sync.WaitGroup
	results := make(chan error, 10)
	for i := range 10 {
		work.Go(func() {
			own := j
			own.name = "agent" + string(rune('a'+i))
			_, err := w.join(t, own)
			results <- err
		})
	}
	work.Wait()
	close(results)
	in := 0
	for err := range results {
		if err == nil {
			in++
		} else if !errors.Is(err, api.ErrDenied) {
			t.Error(err)
		}
	}
	if in != 3 {
		t.Errorf("%d joined with a token for 3", in)
	}
}

// An authority changes: all renew, the old one is retired, its key is gone.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	j := w.joiner(t, &api.JoinTokenRequest{})
	answer, err := w.join(t, j)
	if err != nil {
		t.Fatal(err)
	}
	leaf := leafOf(t, answer.Certificate)
	for _, l := range []*x509.Certificate{leaf, w.Keys.Leaf()} {
		if _, err := w.Trust(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	before := w.joiner(t, &api.JoinTokenRequest{})
	before.name = "later"
	if err := w.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Rotate(t.Context()); !errors.Is(err, api.ErrConflict) {
		t.Errorf("two at once: %v", err)
	}
	if _, err := w.join(t, before); err != nil {
		t.Errorf("a token of the old authority, while that is trusted: %v", err)
	}
	if err := w.Retire(t.Context(), false); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "client new") || !strings.Contains(err.Error(), "server first") {
		t.Errorf("too early: %v", err)
	}
	if _, err := w.Revoke(t.Context(), "", "later"); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*x509.Certificate{leaf, w.Keys.Leaf()} {
		key, err := pki.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		csr, err := pki.NewRequest(key)
		if err != nil {
			t.Fatal(err)
		}
		renewed, err := w.Renew(t.Context(), l, csr)
		if err != nil {
			t.Fatal(err)
		}
		fresh := leafOf(t, renewed.Certificate)
		if tlsx.PeerOf(fresh).Node != tlsx.PeerOf(l).Node || tlsx.PeerOf(fresh).RoleIn("global") != tlsx.PeerOf(l).RoleIn("global") {
			t.Errorf("%s became %s", tlsx.PeerOf(l), tlsx.PeerOf(fresh))
		}
		if strings.Count(renewed.Certificate, "BEGIN") != 2 {
			t.Error("the certificate by the old authority is missing")
		}
		if _, err := w.Trust(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Retire(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys(w.KeyFile)
	if ca := Describe(w.Store.View().Reader); err != nil || len(ca.Authorities) != 1 || len(keys) != 1 {
		t.Errorf("%d authorities, %d keys, %v", len(ca.Authorities), len(keys), err)
	}
	if _, err := w.join(t, before); !errors.Is(err, api.ErrDenied) {
		t.Errorf("a token of the retired authority: %v", err)
	}
	if info, err := os.Stat(w.KeyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// What is renewed is what was there, for who has it, and nothing that is revoked.
func TestRenewalIsRefused(t *testing.T) {
	w := newWorld(t)
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := pki.NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]pki.Request{
		"command line":   {Role: tlsx.RoleCLI, Region: "global", Node: "x"},
		"another region": {Role: tlsx.RoleClient, Region: "other", Node: "x"},
		"no name":        {Role: tlsx.RoleClient, Region: "global"},
	} {
		r.Public, r.Life = key.Public(), time.Hour
		leaf, err := w.first.Issue(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Renew(t.Context(), leaf, csr); !errors.Is(err, api.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	serial := w.Keys.Own().Serial
	if _, err := w.Revoke(t.Context(), serial, ""); err != nil {
		t.Fatal(err)
	}
	w.Keys.Revoke(revoked(w.Store.View()))
	if _, err := w.Renew(t.Context(), w.Keys.Leaf(), csr); !errors.Is(err, api.ErrDenied) {
		t.Errorf("revoked: %v", err)
	}
	if _, err := w.Renew(t.Context(), w.first.Cert, []byte("x")); err == nil {
		t.Error("an authority is renewed as an agent")
	}
	for _, req := range []*api.JoinTokenRequest{{Role: "cli"}, {TTL: -1}, {TTL: api.Duration(100 * 24 * time.Hour)}, {Uses: -1}, {Uses: 1 << 20}} {
		if _, err := w.NewToken(t.Context(), req); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

// holder is another server that is offered keys.
type holder struct {
	world *world
	down  error
}

func (h holder) Offer(ctx context.Context, o *pki.Secrets) error {
	if h.down != nil {
		return h.down
	}
	return h.world.Offer(ctx, o)
}

func (h holder) Certify(ctx context.Context, o *pki.Order) (*pki.RenewAnswer, error) {
	return h.world.Certify(ctx, o)
}

func (h holder) Shown(ctx context.Context, der []byte) error { return h.world.Shown(ctx, der) }

// TestRotationNeedsAMajority rotates with servers that may be away: nothing
// happens without a majority, and with one another server can sign at once.
func TestRotationNeedsAMajority(t *testing.T) {
	leader, follower, third := newWorld(t), newWorld(t), newWorld(t)
	away := errors.New("away")
	leader.Others = func() []Peer { return []Peer{holder{world: follower, down: away}, holder{world: third, down: away}} }
	before, err := os.ReadFile(leader.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := leader.Rotate(t.Context()); !errors.Is(err, api.ErrUnavailable) || !strings.Contains(err.Error(), "1 of 3 servers") {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(leader.KeyFile); err != nil || string(after) != string(before) {
		t.Errorf("the key file changed: %v", err)
	}
	if view := leader.Store.View(); len(Describe(view.Reader).Authorities) != 1 {
		t.Error("there is a new authority")
	}
	leader.Others = func() []Peer { return []Peer{holder{world: follower}, holder{world: third, down: away}} }
	if _, err := follower.Tidy(); err != nil {
		t.Fatal(err)
	}
	if err := leader.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What is offered is kept although its authority is not trusted there yet.
	if _, err := follower.Tidy(); err != nil {
		t.Fatal(err)
	}
	active, _ := leader.Store.View().ActiveAuthority()
	keys, err := readKeys(follower.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := tlsx.ParseCertificates([]byte(active.Certificate))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if _, err := pki.NewPair(certs, key); err == nil {
			return
		}
	}
	t.Error("the other server has not got the key of the authority that signs")
}

// TestTokensAreListed lists tokens that were made, with what became of them.
func TestTokensAreListed(t *testing.T) {
	w := newWorld(t)
	j := w.joiner(t, &api.JoinTokenRequest{Role: "server", Uses: 3})
	if _, err := w.join(t, j); err != nil {
		t.Fatal(err)
	}
	x, ok := w.Store.View().JoinToken(j.token.Name())
	if !ok || x.Role != "server" || x.Uses != 3 || x.Used != 1 || x.Revoked {
		t.Fatalf("%+v", x)
	}
	if err := w.RevokeToken(t.Context(), x.ID); err != nil {
		t.Fatal(err)
	}
	if x, _ := w.Store.View().JoinToken(x.ID); !x.Revoked || x.Role != "server" {
		t.Errorf("%+v", x)
	}
}

// TestRestored: after the state of another cluster, of which no key is here, the
// authority of this server signs; with the key at hand nothing changes.
func TestRestored(t *testing.T) {
	w := newWorld(t)
	before := Describe(w.Store.View().Reader).Authorities[0].ID
	if err := w.Restored(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := Describe(w.Store.View().Reader).Authorities; len(got) != 1 || got[0].ID != before {
		t.Fatalf("with its key here the authority was replaced: %+v", got)
	}
	strange, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.Apply(t.Context(), &fsm.AuthorityAdd{Authority: describe(strange, time.Now())})
	if err == nil {
		_, _, err = w.Apply(t.Context(), &fsm.AuthorityRetire{ID: before})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.NewToken(t.Context(), &api.JoinTokenRequest{}); err == nil {
		t.Fatal("a token without the key of the authority")
	}
	if err := w.Restored(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := Describe(w.Store.View().Reader).Authorities; len(got) != 1 || got[0].ID != before || !got[0].Active {
		t.Errorf("the authorities after the restore: %+v", got)
	}
	if _, err := w.join(t, w.joiner(t, &api.JoinTokenRequest{})); err != nil {
		t.Errorf("nobody can join after the restore: %v", err)
	}
}
