// Package failpoint lets tests make a running agent fail where it is asked to:
// SERAI_FAILPOINTS names the places, for example "schedule:web,schedule:db".
// Without the variable nothing of it has an effect.
package failpoint

import (
	"os"
	"strings"
	"sync"
)

var points = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for p := range strings.SplitSeq(os.Getenv("SERAI_FAILPOINTS"), ",") {
		if p != "" {
			out[p] = true
		}
	}
	return out
})

// Panic panics when the place is to fail for the key.
func Panic(place, key string) {
	if p := points(); len(p) > 0 && p[place+":"+key] {
		panic("fail point " + place + ":" + key)
	}
}
