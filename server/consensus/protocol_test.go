package consensus

import (
	"context"
	"errors"
	"testing"

	"github.com/seraihq/serai/api"
)

// TestUnknownCommandIsNotWritten: a command that the registry does not have
// stops whoever applies it, so it never gets into the log.
func TestUnknownCommandIsNotWritten(t *testing.T) {
	r, err := OpenMemory(config(""))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	awaitLeader(t, r)
	before := r.LastIndex()
	for _, entry := range [][]byte{nil, {1}, {0xff, 0xf0, 1, 2}} {
		if _, err := r.Apply(context.Background(), entry); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%v: %v", entry, err)
		}
	}
	if r.LastIndex() != before {
		t.Error("it is in the log")
	}
}
