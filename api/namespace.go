package api

// Namespace separates jobs of different owners.
type Namespace struct {
	Name                  string                 `hcl:"name"`
	Description           string                 `hcl:"description"`
	Quota                 string                 `hcl:"quota"`
	Capabilities          *NamespaceCapabilities `hcl:"capabilities,block"`
	NodePoolConfiguration *NamespaceNodePools    `hcl:"node_pool_config,block"`
	VaultConfiguration    *NamespaceClusters     `hcl:"vault,block"`
	ConsulConfiguration   *NamespaceClusters     `hcl:"consul,block"`
	Meta                  map[string]string      `hcl:"meta,block"`
	CreateIndex           uint64                 `hcl:"-"`
	ModifyIndex           uint64                 `hcl:"-"`
}

// NamespaceCapabilities limits what the jobs of a namespace may use. An empty
// list of enabled names allows all that are not disabled.
type NamespaceCapabilities struct {
	EnabledTaskDrivers   []string `hcl:"enabled_task_drivers"`
	DisabledTaskDrivers  []string `hcl:"disabled_task_drivers"`
	EnabledNetworkModes  []string `hcl:"enabled_network_modes"`
	DisabledNetworkModes []string `hcl:"disabled_network_modes"`
}

// NamespaceNodePools limits the node pools of a namespace's jobs.
type NamespaceNodePools struct {
	Default string   `hcl:"default"`
	Allowed []string `hcl:"allowed"`
	Denied  []string `hcl:"denied"`
}

// NamespaceClusters limits the Vault or Consul clusters of a namespace's jobs.
type NamespaceClusters struct {
	Default string   `hcl:"default"`
	Allowed []string `hcl:"allowed"`
	Denied  []string `hcl:"denied"`
}

// NodePool is a named part of the nodes.
type NodePool struct {
	Name                   string                   `hcl:",label"`
	Description            string                   `hcl:"description"`
	Meta                   map[string]string        `hcl:"meta,block"`
	NodeIdentityTTL        Duration                 `hcl:"node_identity_ttl"`
	SchedulerConfiguration *NodePoolSchedulerConfig `hcl:"scheduler_config,block"`
	CreateIndex            uint64                   `hcl:"-"`
	ModifyIndex            uint64                   `hcl:"-"`
}

// NodePoolSchedulerConfig overrides the cluster's scheduler configuration in a pool.
type NodePoolSchedulerConfig struct {
	SchedulerAlgorithm            string `hcl:"scheduler_algorithm"`
	MemoryOversubscriptionEnabled *bool  `hcl:"memory_oversubscription_enabled"`

	// PreemptionConfig takes the place of the cluster's.
	PreemptionConfig *PreemptionConfig `json:",omitempty" hcl:"preemption_config,block"`
}
