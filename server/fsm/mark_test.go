package fsm

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/seraihq/serai/api"
)

// Replicas give the same hashes for the state as of a mark, however the log around
// it is cut into batches, and whatever comes after it.
func TestMark(t *testing.T) {
	encode := func(c Command) []byte {
		t.Helper()
		b, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	name := func(n string) []byte {
		return encode(&NamespaceUpsert{Namespaces: []*api.Namespace{{Name: n}}})
	}
	log := []Entry{{11, name("a")}, {12, encode(&StateMark{ID: "m"})}, {13, name("b")}, {14, name("c")}}
	whole, single, other := newReplica(), newReplica(), newReplica()
	whole.ApplyBatch(log)
	for _, e := range log {
		single.ApplyBatch([]Entry{e})
	}
	other.ApplyBatch([]Entry{{11, name("z")}, log[1]})
	x, err := whole.HashesAt(t.Context(), 12)
	if err != nil {
		t.Fatal(err)
	}
	y, err := single.HashesAt(t.Context(), 12)
	if err != nil || !slices.Equal(x, y) {
		t.Errorf("the hashes are\n%v and\n%v, %v", x, y, err)
	}
	z, err := other.HashesAt(t.Context(), 12)
	if err != nil {
		t.Fatal(err)
	}
	for i := range z {
		if same := z[i] == x[i]; same == (z[i].Name == "namespaces") {
			t.Errorf("table %s: same is %v", z[i].Name, same)
		}
	}
	if again, err := whole.HashesAt(t.Context(), 12); err != nil || !slices.Equal(x, again) {
		t.Errorf("asked again: %v, %v", again, err)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := whole.HashesAt(late, 15); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("a mark that is not there yet: %v", err)
	}
	whole.ApplyBatch([]Entry{{15, log[1].Data}})
	if _, err := whole.HashesAt(t.Context(), 12); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a mark of before: %v", err)
	}
}
