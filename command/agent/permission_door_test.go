package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/seraihq/serai/api"
)

// openDoor runs tasks on the client that have an identity, and a socket on which
// they reach the API.
func (w *world) openDoor() {
	task := func(name string) map[string]any {
		return map[string]any{
			"Name": name, "Driver": "mock_driver", "Config": map[string]any{"run_for": "24h"}, "KillTimeout": 1000000000,
			"Identity": map[string]any{"File": true},
		}
	}
	w.must("PUT", "/v1/jobs", map[string]any{"Job": map[string]any{
		"ID": "door", "Name": "door", "Type": "batch", "Datacenters": []string{"dc1"},
		"TaskGroups": []any{map[string]any{"Name": "g", "Count": 1, "Tasks": []any{task("t"), task("u")}}},
	}}, nil)
	w.await("running task with a socket", func() bool {
		var allocs []*api.AllocationListStub
		w.must("GET", "/v1/job/door/allocations", nil, &allocs)
		if len(allocs) == 0 || allocs[0].ClientStatus != api.AllocClientRunning {
			return false
		}
		w.door = allocs[0].ID
		return true
	})
	dir := filepath.Join(w.agent.cfg.DataDir, "alloc", w.door)
	w.identities = map[string]string{}
	for _, task := range []string{"t", "u"} {
		b, err := os.ReadFile(filepath.Join(dir, task, "secrets", "nomad_token"))
		if err != nil {
			w.t.Fatal(err)
		}
		w.identities[task] = strings.TrimSpace(string(b))
	}
	w.socket = w.dialer(filepath.Join(dir, "t", "secrets"))
}

// dialer gives a client of the socket in the secrets of a task. Its path may be
// longer than an address can be.
func (w *world) dialer(secrets string) *http.Client {
	at, err := os.Open(secrets)
	if err != nil {
		w.t.Fatal(err)
	}
	var d net.Dialer
	transport := &http.Transport{
		MaxIdleConnsPerHost: 16, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/api.sock", at.Fd()))
		},
	}
	w.t.Cleanup(func() { transport.CloseIdleConnections(); _ = at.Close() })
	return &http.Client{Transport: transport}
}
