package keyring

import (
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/seraihq/serai/api"
)

// rows are the root keys of a state.
type rows []*api.RootKey

func (r rows) RootKeys() iter.Seq[*api.RootKey] { return slices.Values(r) }

func (r rows) RootKey(id string) (*api.RootKey, bool) {
	i := slices.IndexFunc(r, func(k *api.RootKey) bool { return k.KeyID == id })
	if i < 0 {
		return nil, false
	}
	return r[i], true
}

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func key(t testing.TB, algorithm string, publish time.Duration) *api.RootKey {
	t.Helper()
	k, err := New(algorithm, start, start.Add(publish))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func allocation() *api.Allocation {
	return &api.Allocation{ID: "11111111-2222-3333-4444-555555555555", Namespace: "prod", TaskGroup: "web", Job: &api.Job{ID: "shop", Region: "eu"}}
}

func TestIdentitiesSayWhoATaskIs(t *testing.T) {
	for _, algorithm := range []string{api.SignatureEdDSA, api.SignatureRS256} {
		keys := rows{key(t, algorithm, 0)}
		r := NewRing("https://serai.example")
		signed, err := r.Sign(keys, allocation(), "server", &api.WorkloadIdentity{Name: "default"}, start)
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.Verify(keys, signed.Token.Reveal(), start)
		if err != nil {
			t.Fatal(err)
		}
		if want := (api.Workload{Namespace: "prod", JobID: "shop", Task: "server", AllocationID: allocation().ID, Identity: "default"}); *w != want {
			t.Errorf("%s: %+v", algorithm, w)
		}
		// Others check it by the key set alone.
		set, err := r.Public(keys)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		var others jose.JSONWebKeySet
		if err := json.Unmarshal(text, &others); err != nil || !others.Keys[0].IsPublic() {
			t.Fatalf("%s: %s %v", algorithm, text, err)
		}
		token, err := jwt.ParseSigned(signed.Token.Reveal(), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		var claims map[string]any
		if err := token.Claims(&others, &claims); err != nil {
			t.Fatal(err)
		}
		if claims["sub"] != "eu:prod:shop:web:server:default" || claims["iss"] != "https://serai.example" || claims["aud"] != Audience || claims["exp"] != nil || claims["jti"] == nil {
			t.Errorf("%s: %v", algorithm, claims)
		}
	}
}

func TestChildrenAreKnownByTheirParent(t *testing.T) {
	keys := rows{key(t, api.SignatureEdDSA, 0)}
	a := allocation()
	a.Job = &api.Job{ID: "shop/dispatch-1-2", ParentID: "shop", Region: "eu"}
	r := NewRing("")
	signed, err := r.Sign(keys, a, "server", &api.WorkloadIdentity{Name: "default"}, start)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := r.Verify(keys, signed.Token.Reveal(), start); err != nil || w.JobID != "shop" {
		t.Errorf("%+v %v", w, err)
	}
}

func TestIdentitiesAreRefused(t *testing.T) {
	keys, foreign := rows{key(t, api.SignatureEdDSA, 0)}, rows{key(t, api.SignatureEdDSA, 0)}
	r := NewRing("")
	sign := func(keys rows, id *api.WorkloadIdentity) string {
		signed, err := r.Sign(keys, allocation(), "server", id, start)
		if err != nil {
			t.Fatal(err)
		}
		return signed.Token.Reveal()
	}
	good := sign(keys, &api.WorkloadIdentity{Name: "default"})
	short := sign(keys, &api.WorkloadIdentity{Name: "x", Audience: []string{Audience}, TTL: api.Duration(time.Hour)})
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	_, otherRest, _ := strings.Cut(short, ".")
	otherBody, _, _ := strings.Cut(otherRest, ".")
	imposter := &api.RootKey{KeyID: keys[0].KeyID, Algorithm: api.SignatureEdDSA, Private: foreign[0].Private}
	for what, c := range map[string]struct {
		token  string
		at     time.Time
		forged bool
		text   string
	}{
		"other body":           {head + "." + otherBody + "." + signature, start, true, "not signed"},
		"no signature":         {head + "." + body + ".", start, true, "not signed"},
		"algorithm none":       {"eyJhbGciOiJub25lIn0." + body + ".", start, true, "not signed"},
		"key of others":        {sign(foreign, &api.WorkloadIdentity{Name: "default"}), start, true, "not signed"},
		"name of a key":        {sign(rows{imposter}, &api.WorkloadIdentity{Name: "default"}), start, true, "not signed"},
		"too long":             {good + strings.Repeat("A", MaxToken), start, true, "not signed"},
		"expired":              {short, start.Add(time.Hour + 2*time.Minute), false, "expired at 2026-11-01T13:00:00Z"},
		"of the future":        {good, start.Add(-2 * time.Minute), false, "not valid yet"},
		"for others":           {sign(keys, &api.WorkloadIdentity{Name: "vault", Audience: []string{"vault"}}), start, false, "audience"},
		"for nobody in person": {sign(keys, &api.WorkloadIdentity{Name: "bare"}), start, false, "audience"},
	} {
		_, err := NewRing("").Verify(keys, c.token, c.at)
		if !errors.Is(err, api.ErrDenied) || Forged(err) != c.forged || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Within the leeway clocks may differ.
	for _, at := range []time.Time{start.Add(-30 * time.Second), start.Add(time.Hour + 30*time.Second)} {
		if _, err := r.Verify(keys, short, at); err != nil {
			t.Error(err)
		}
	}
	// What was good is not any more when its key is gone.
	if _, err := r.Verify(keys, good, start); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(foreign, good, start); !Forged(err) {
		t.Errorf("with the key removed: %v", err)
	}
	if _, err := r.Verify(rows{imposter}, good, start); !Forged(err) {
		t.Errorf("with another key under its ID: %v", err)
	}
}

func TestTheKeyThatSigns(t *testing.T) {
	old, now, next := key(t, api.SignatureEdDSA, -time.Hour), key(t, api.SignatureEdDSA, 0), key(t, api.SignatureEdDSA, time.Hour)
	for what, c := range map[string]struct {
		keys rows
		at   time.Duration
		want *api.RootKey
	}{
		"one":              {rows{now}, 0, now},
		"the youngest":     {rows{now, old}, 0, now},
		"not before":       {rows{next, now, old}, 59 * time.Minute, now},
		"from then on":     {rows{next, now, old}, time.Hour, next},
		"when there is no": {rows{next}, 0, next},
	} {
		if got, ok := Active(c.keys, start.Add(c.at)); !ok || got != c.want {
			t.Errorf("%s: %+v", what, got)
		}
	}
	var states []string
	for _, m := range Describe(rows{next, now, old}, start) {
		states = append(states, m.State)
	}
	if !slices.Equal(states, []string{api.RootKeyPrepublished, api.RootKeyActive, api.RootKeyInactive}) {
		t.Error(states)
	}
	if _, ok := Active(rows{}, start); ok {
		t.Error("a key without keys")
	}
	if _, err := New("HS256", start, start); !errors.Is(err, api.ErrInvalid) {
		t.Error(err)
	}
}

// FuzzVerify looks for texts that break the reader of tokens, or pass.
func FuzzVerify(f *testing.F) {
	keys := rows{key(f, api.SignatureEdDSA, 0)}
	r := NewRing("")
	signed, err := r.Sign(keys, allocation(), "server", &api.WorkloadIdentity{Name: "default"}, start)
	if err != nil {
		f.Fatal(err)
	}
	good := signed.Token.Reveal()
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Fuzz(func(t *testing.T, token string) {
		w, err := r.Verify(keys, token, start)
		if err == nil && (w.AllocationID != allocation().ID || w.JobID != "shop") {
			t.Fatalf("%q is taken for %+v", token, w)
		}
		if err != nil && !errors.Is(err, api.ErrDenied) {
			t.Fatal(err)
		}
	})
}
