package command

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// The word that a drain is complete can come before that of the last allocations,
// which are asked for once more.
func TestDrainIsToldFirst(t *testing.T) {
	gone := fakeAllocation()
	gone.DesiredStatus, gone.ClientStatus = api.AllocDesiredStop, api.AllocClientComplete
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode([]*api.Allocation{gone}); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	client, err := api.NewClient(api.ClientConfig{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	node := fakeNodeObject()
	node.LastDrain = &api.DrainMetadata{Status: "complete"}
	f := &drainFollower{s: &session{Invocation: &cli.Invocation{Stdout: &out}, client: client}, node: node, seen: map[string]string{}, old: map[string]bool{}, allocs: []*api.Allocation{fakeAllocation()}}
	if over, err := f.over(t.Context(), api.IDRequest{ID: node.ID}); !over || err != nil {
		t.Errorf("over: %v, %v", over, err)
	}
	if err := f.outcome(); err != nil || !strings.Contains(out.String(), "has left: complete") || !strings.Contains(out.String(), "all allocations have left") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
