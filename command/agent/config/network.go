package config

import "github.com/seraihq/serai/client/network"

// Network gives what the operator says of the networks of allocations.
func (c *Client) Network() network.Config {
	blocked := c.BridgeBlocked
	if blocked == nil {
		blocked = []string{} // said to be none
	}
	return network.Config{
		Bridge: c.BridgeName, Subnet: c.BridgeSubnet, SubnetV6: c.BridgeSubnetIPv6, NoHairpin: !c.BridgeHairpin,
		Blocked: blocked, CNIPath: c.CNIPath, CNIDir: c.CNIConfigDir,
	}
}
