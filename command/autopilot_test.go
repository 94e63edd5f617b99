package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// TestAutopilotSetConfig: what the flags name is written, the rest is left, and a
// value that cannot be is refused instead of left out in silence.
func TestAutopilotSetConfig(t *testing.T) {
	var written *api.AutopilotConfiguration
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_ = json.NewEncoder(w).Encode(api.DefaultAutopilotConfiguration())
			return
		}
		written = new(api.AutopilotConfiguration)
		if err := json.NewDecoder(r.Body).Decode(written); err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(true)
	}))
	defer agent.Close()
	set := func(flags string) string {
		written = nil
		return runLine(&fakeAgent{url: agent.URL}, "$ serai operator autopilot set-config "+flags)
	}
	if out := set("-min-quorum 3 -server-stabilization-time 0s"); written == nil || written.MinQuorum != 3 || written.ServerStabilizationTime != 0 || written.MaxTrailingLogs != 250 || !written.CleanupDeadServers {
		t.Errorf("%s wrote %+v", out, written)
	}
	for _, flags := range []string{"-min-quorum -1", "-max-trailing-logs=-4"} {
		if out := set(flags); written != nil || !strings.Contains(out, "0 or more") || !strings.Contains(out, "[exit 1]") {
			t.Errorf("%s wrote %+v", out, written)
		}
	}
	if set("-last-contact-threshold=-5s"); written == nil || written.LastContactThreshold >= 0 {
		t.Errorf("a negative threshold is not handed to the server, which refuses it: %+v", written)
	}
}
