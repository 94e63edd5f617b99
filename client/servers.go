package client

import "github.com/seraihq/serai/client/store"

// rememberServers has the list of servers outlive this process. A client whose
// configuration names one server, which is gone when it starts again, finds the
// others.
func (c *Client) rememberServers() {
	list := c.cfg.Servers
	if list == nil {
		return
	}
	kept, err := c.store.Servers()
	if err != nil {
		c.logger.Warn("the servers that were known are forgotten; those of the configuration are asked", "err", err)
	}
	list.Recall(kept.Configured, kept.Told)
	list.KeepServers(func(configured, told []string) {
		if err := c.store.PutServers(store.Servers{Configured: configured, Told: told}); err != nil {
			c.logger.Warn("the servers that are known would be forgotten after a restart", "err", err)
		}
	})
}
