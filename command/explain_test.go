package command

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// TestExplainNames checks that what is said to do next would help: an authority
// for a server of a stranger's, a certificate where a token is not enough.
func TestExplainNames(t *testing.T) {
	t.Parallel()
	denied := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Permission denied", http.StatusForbidden) })
	leader := func(c *api.Client) error {
		_, _, err := api.Call(context.Background(), c, api.StatusLeader, &api.ListRequest{})
		return err
	}
	for name, c := range map[string]struct {
		serve      func(http.Handler) *httptest.Server
		call       func(*api.Client) error
		text, hint string
	}{
		"stranger": {httptest.NewTLSServer, leader, "shows a certificate that is not trusted", "-ca-cert"},
		"token":    {httptest.NewServer, leader, "Permission denied", "SERAI_TOKEN"},
		"certificate": {httptest.NewServer, func(c *api.Client) error {
			_, _, err := api.Call(context.Background(), c, api.JoinTokenCreate, &api.JoinTokenRequest{})
			return err
		}, "Permission denied", "-client-cert"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.serve(denied)
			t.Cleanup(s.Close)
			client, err := api.NewClient(api.ClientConfig{Address: s.URL})
			if err != nil {
				t.Fatal(err)
			}
			if err = c.call(client); err == nil {
				t.Fatal("no error")
			}
			text, hint := explain(err)
			if !strings.Contains(text, c.text) || !strings.Contains(hint, c.hint) {
				t.Errorf("%q, %q; want %q, %q", text, hint, c.text, c.hint)
			}
		})
	}
}
