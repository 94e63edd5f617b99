package agent

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// diskWait is how long the node of an allocation waits for its end.
const diskWait = "15m"

// fetchDisk gives the disk of an allocation of another node. This agent's own
// API knows the way there. What comes is bounded and looked at by who reads it.
func (a *Agent) fetchDisk(ctx context.Context, allocID string) (io.ReadCloser, error) {
	url := "http://self/v1/client/allocation/" + allocID + "/snapshot?wait=" + diskWait
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if a.cfg.ACL.Enabled {
		id, secret := a.client.Identity()
		req.Header.Set("X-Nomad-Token", auth.MigrateToken(id, secret, allocID).Reveal())
	}
	resp, err := a.inward.client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for the disk of allocation %s: %w", allocID, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return nil, api.Errorf(api.KindOfStatus(resp.StatusCode), "the disk of allocation %s: %s", allocID, strings.TrimSpace(string(text)))
	}
	return resp.Body, nil
}
