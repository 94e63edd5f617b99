package client

import (
	"context"

	"github.com/seraihq/serai/api"
)

// sign has the servers sign identities of a task of this node.
func (c *Client) sign(ctx context.Context, allocID, task string, names []string) ([]*api.SignedIdentity, error) {
	if c.cfg.Identities == nil {
		return nil, api.Errorf(api.ErrInvalid, "this agent knows nobody who signs identities")
	}
	resp, err := c.cfg.Identities.SignIdentities(ctx, &api.IdentitySignRequest{
		NodeID: c.id.ID, SecretID: api.Sensitive(c.id.SecretID), AllocationID: allocID, Task: task, Names: names,
	})
	if err != nil {
		return nil, err
	}
	return resp.Identities, nil
}
