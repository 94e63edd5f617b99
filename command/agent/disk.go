package agent

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/seraihq/serai/server/auth"
)

// diskWait is how long the node of an allocation waits for its end.
const diskWait = "15m"

// diskClient asks this agent itself: no proxy of the environment is in between,
// and the node that answers sends it nowhere else.
var diskClient = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// fetchDisk gives the disk of an allocation of another node. This agent's own
// API knows the way there. What comes is bounded and looked at by who reads it.
func (a *Agent) fetchDisk(ctx context.Context, allocID string) (io.ReadCloser, error) {
	url := "http://" + a.httpAdvertise() + "/v1/client/allocation/" + allocID + "/snapshot?wait=" + diskWait
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if a.cfg.ACL.Enabled {
		id, secret := a.client.Identity()
		req.Header.Set("X-Nomad-Token", auth.MigrateToken(id, secret, allocID).Reveal())
	}
	resp, err := diskClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for the disk of allocation %s: %w", allocID, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return nil, fmt.Errorf("the disk of allocation %s: %s", allocID, strings.TrimSpace(string(text)))
	}
	return resp.Body, nil
}
