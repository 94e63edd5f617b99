package rest

import (
	"context"
	"net/http"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// Authenticated is the API for callers that must show who they are whatever they
// ask for. known refuses a secret that is nobody's with an error of kind
// ErrDenied.
func (a *API) Authenticated(known func(ctx context.Context, secret api.Sensitive) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret := secretOf(r)
		if secret == "" {
			http.Error(w, "Unauthorized: send a token, for example \"Authorization: Bearer $NOMAD_TOKEN\" with identity { env = true }", http.StatusUnauthorized)
			return
		}
		err := known(r.Context(), secret)
		switch {
		case err == nil:
			a.ServeHTTP(w, r)
		case auth.WrongSecret(err) && a.guesses.slow(w, r):
		default:
			a.fail(w, r, err)
		}
	})
}
