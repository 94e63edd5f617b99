package rpc

import (
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

func TestSyncRequestsTravel(t *testing.T) {
	want := &api.NodeSyncRequest{NodeID: "n", SecretID: "s", Index: 7, Have: []api.AllocHeld{
		{ID: "4c1f2a3b-0000-4000-8000-000000000001", Index: 300, Status: api.AllocClientRunning}, {ID: "x"},
	}}
	for {
		b, err := encodeSyncRequest(want)
		if err != nil || len(b) > maxNode {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		got, err := decodeSyncRequest(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Have) == 0 {
			break // too much to say: everything is sent
		}
		if !wire.Same(got, want) {
			t.Fatalf("got %d allocations of %d", len(got.Have), len(want.Have))
		}
		want.Have = append(want.Have, want.Have...)
	}
	if len(want.Have) < 30000 {
		t.Errorf("only %d allocations can be named", len(want.Have)/2)
	}
	// An older client names none, an older server does not look.
	b, _ := wire.Marshal(&struct {
		NodeID string
		Index  uint64
	}{"n", 7})
	if got, err := decodeSyncRequest(b); err != nil || got.NodeID != "n" || got.Index != 7 || got.Have != nil {
		t.Errorf("of an older client: %+v, %v", got, err)
	}
}

func FuzzDecodeSyncRequest(f *testing.F) {
	b, err := encodeSyncRequest(&api.NodeSyncRequest{NodeID: "n", Have: []api.AllocHeld{{ID: "x", Index: 1, Status: "running"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := decodeSyncRequest(b)
		if err != nil {
			return
		}
		b, err = encodeSyncRequest(req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeSyncRequest(b)
		if err != nil || !wire.Same(again, req) {
			t.Fatalf("what was decoded does not travel: %v", err)
		}
	})
}
