package rest

import (
	"net/http"
	"strings"

	"github.com/seraihq/serai/api"
)

// Where others find by which keys identities are checked.
const (
	keysPath      = "/.well-known/jwks.json"
	discoveryPath = "/.well-known/openid-configuration"
)

// keysFor is how long others may keep the keys, and then ask again.
const keysFor = "max-age=60"

// keys gives the public keys by which identities are checked.
func (a *API) keys(w http.ResponseWriter, r *http.Request) {
	if a.askedServer(w, r) {
		return
	}
	set, err := a.Server.IdentityKeys(r.Context())
	if err == nil {
		w.Header().Set("Cache-Control", keysFor)
		err = writeValue(w, r, set)
	}
	if err != nil {
		a.fail(w, r, err)
	}
}

// discovery says, as OpenID Connect has it, where the keys are.
func (a *API) discovery(w http.ResponseWriter, r *http.Request) {
	if a.askedServer(w, r) {
		return
	}
	issuer := a.Server.Issuer()
	if issuer == "" {
		http.Error(w, "OIDC Discovery endpoint disabled; set server { oidc_issuer } on the servers", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", keysFor)
	if err := writeValue(w, r, map[string]any{
		"issuer": issuer, "jwks_uri": strings.TrimSuffix(issuer, "/") + keysPath,
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{api.SignatureRS256, api.SignatureEdDSA},
	}); err != nil {
		a.fail(w, r, err)
	}
}

// askedServer has a server answer, where this agent has none itself, and says
// whether the request is done with.
func (a *API) askedServer(w http.ResponseWriter, r *http.Request) bool {
	if a.Servers != nil {
		a.toServer(w, r)
		return true
	}
	if err := a.needServer(); err != nil {
		a.fail(w, r, err)
		return true
	}
	return false
}
