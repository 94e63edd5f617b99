package rest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
)

func TestWhatIsSentAgain(t *testing.T) {
	died := errors.New("unexpected EOF")
	for name, c := range map[string]struct {
		method, body string
		op           *api.Endpoint
		err          error
		want         bool
	}{
		"a read":                           {"GET", "", api.JobsList.Endpoint, died, true},
		"a registration":                   {"PUT", `{"Job":{}}`, api.JobsRegister.Endpoint, died, false},
		"a registration that reached none": {"PUT", `{"Job":{}}`, api.JobsRegister.Endpoint, tlsx.ErrUnreached, true},
		"a namespace":                      {"PUT", `{"Name":"n"}`, api.NamespaceWrite.Endpoint, died, false},
		"a dispatch":                       {"PUT", `{}`, api.JobDispatch.Endpoint, died, false},
		"a dispatch that reached nobody":   {"PUT", `{}`, api.JobDispatch.Endpoint, tlsx.ErrUnreached, true},
		"a count":                          {"PUT", `{"Count":3}`, api.JobScale.Endpoint, died, false},
		"an action without a body":         {"PUT", ``, api.SystemGC.Endpoint, died, true},
		"a deregistration the leader died": {"DELETE", ``, api.JobDeregister.Endpoint, died, false},
	} {
		r := httptest.NewRequest(c.method, "/v1/x", strings.NewReader(c.body))
		r, err := keepBody(r, c.op)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := repeatable(r, c.err); got != c.want {
			t.Errorf("%s: sent again: %t", name, got)
		}
		for range 2 {
			body, _ := io.ReadAll(again(r).Body)
			if r.GetBody != nil && string(body) != c.body {
				t.Errorf("%s: the body is %q", name, body)
			}
		}
	}
	large := httptest.NewRequest(http.MethodPut, "/v1/jobs", strings.NewReader(strings.Repeat("x", 100)))
	large.Body = http.MaxBytesReader(nil, large.Body, 10)
	if _, err := keepBody(large, api.JobsRegister.Endpoint); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("a body that is too large: %v", err)
	}
}
