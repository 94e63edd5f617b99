package state

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// TestTwoRowsOfOneKey has a snapshot whose sums are right say that two roles have
// one name. Whoever may restore snapshots can write that.
func TestTwoRowsOfOneKey(t *testing.T) {
	var out bytes.Buffer
	w := newSnapshotWriter(&out)
	w.header(7)
	list := sections()
	for _, x := range list {
		w.begin(x.name, x.version)
		if x.name == "acl_roles" {
			for _, id := range []string{uuid(1), uuid(2)} {
				if err := w.object(&api.ACLRole{ID: id, Name: "both"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.end(3); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.footer(len(list)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSnapshot(&out); !errors.Is(err, ErrSnapshot) || !strings.Contains(err.Error(), "both") {
		t.Errorf("it is read: %v", err)
	}
}
