package state

import "github.com/seraihq/serai/api"

// PutNode writes a node.
func (tx *Tx) PutNode(n *api.Node) {
	n.CreateIndex, n.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.Node(n.ID); ok {
		n.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).nodes.Put(tx.tx, n)
}

// DeleteNode removes a node.
func (tx *Tx) DeleteNode(id string) bool {
	_, ok := tablesOf(tx.t).nodes.Delete(tx.tx, id)
	return ok
}

// PutNodePool writes a node pool.
func (tx *Tx) PutNodePool(p *api.NodePool) {
	p.CreateIndex, p.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.NodePool(p.Name); ok {
		p.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).pools.Put(tx.tx, p)
}

// DeleteNodePool removes a node pool.
func (tx *Tx) DeleteNodePool(name string) bool {
	_, ok := tablesOf(tx.t).pools.Delete(tx.tx, name)
	return ok
}

// PutNamespace writes a namespace.
func (tx *Tx) PutNamespace(n *api.Namespace) {
	n.CreateIndex, n.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.Namespace(n.Name); ok {
		n.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).namespaces.Put(tx.tx, n)
}

// DeleteNamespace removes a namespace.
func (tx *Tx) DeleteNamespace(name string) bool {
	_, ok := tablesOf(tx.t).namespaces.Delete(tx.tx, name)
	return ok
}

// PutSchedulerConfig writes the scheduler's configuration.
func (tx *Tx) PutSchedulerConfig(c *api.SchedulerConfiguration) {
	c.CreateIndex, c.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tablesOf(tx.t).config.Get(tx.r, ""); ok {
		c.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).config.Put(tx.tx, c)
}

// PutAutopilotConfig writes autopilot's configuration.
func (tx *Tx) PutAutopilotConfig(c *api.AutopilotConfiguration) {
	c.CreateIndex, c.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tablesOf(tx.t).autopilot.Get(tx.r, ""); ok {
		c.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).autopilot.Put(tx.tx, c)
}

// PutClusterMeta writes the cluster's identity.
func (tx *Tx) PutClusterMeta(m *ClusterMeta) {
	m.CreateIndex, m.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.ClusterMeta(); ok {
		m.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).meta.Put(tx.tx, m)
}
