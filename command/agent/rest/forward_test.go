package rest

import (
	"net/http"
	"testing"
)

// A caller that says less than none must not have a request passed on for ever
// between a server and a node that has collected the allocation meanwhile.
func TestHopsCountFromZero(t *testing.T) {
	for said, want := range map[string]int{"": 0, "1": 1, "-1000000000": 0, "-99999999999999999999": 0, "99999999999999999999": maxHops, "x": 0} {
		r := &http.Request{Header: http.Header{hopsHeader: {said}}}
		if got := hops(r); min(got, maxHops) != want {
			t.Errorf("%q: %d, want %d", said, got, want)
		}
	}
}
