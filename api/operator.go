package api

import "time"

// Algorithms of placement.
const (
	SchedulerBinpack = "binpack"
	SchedulerSpread  = "spread"
)

// SchedulerConfiguration is the cluster's scheduler configuration.
type SchedulerConfiguration struct {
	SchedulerAlgorithm            string
	PreemptionConfig              PreemptionConfig
	MemoryOversubscriptionEnabled bool
	RejectJobRegistration         bool
	PauseEvalBroker               bool
	NodeLimitForFeasibilityChecks uint
	CreateIndex                   uint64
	ModifyIndex                   uint64
}

// PreemptionConfig switches preemption by job type.
type PreemptionConfig struct {
	SystemSchedulerEnabled   bool `hcl:"system_scheduler_enabled"`
	SysBatchSchedulerEnabled bool `hcl:"sysbatch_scheduler_enabled"`
	BatchSchedulerEnabled    bool `hcl:"batch_scheduler_enabled"`
	ServiceSchedulerEnabled  bool `hcl:"service_scheduler_enabled"`
}

// SchedulerConfigurationResponse answers a read of the configuration.
type SchedulerConfigurationResponse struct {
	SchedulerConfig *SchedulerConfiguration
}

// SchedulerSetConfigurationResponse answers a change of the configuration.
type SchedulerSetConfigurationResponse struct {
	Updated bool // false when the index given did not match
}

// RaftConfiguration lists the servers as Raft knows them.
type RaftConfiguration struct {
	Servers []*RaftServer
	Index   uint64
}

// RaftServer is a server as Raft knows it.
type RaftServer struct {
	ID           string
	Node         string
	Address      string
	Leader       bool
	Voter        bool
	RaftProtocol string
}

// DefaultSchedulerConfiguration is what a new cluster starts with.
func DefaultSchedulerConfiguration() *SchedulerConfiguration {
	return &SchedulerConfiguration{
		SchedulerAlgorithm: SchedulerBinpack,
		PreemptionConfig:   PreemptionConfig{SystemSchedulerEnabled: true},
	}
}

// NodeBrake says whether silent nodes are given up: when too many fall silent at
// once they are not, until they come back or an operator confirms.
type NodeBrake struct {
	Holds         bool       // nodes are held that would be given up
	Since         *time.Time `json:",omitempty"`
	Held          int        // how many
	Nodes         []string   // IDs of the first 100 of them
	GivenUp       int        // nodes given up shortly before, and not heard since
	Percent       int        // of the nodes that may be given up at once; 0: there is no brake
	ReleasedUntil *time.Time `json:",omitempty"` // an operator lets all be given up until then
}

// RaftPeerRequest names a server, by its ID or, where that is allowed, by its
// address.
type RaftPeerRequest struct {
	WriteOptions
	ID      string `query:"id" json:"-"`
	Address string `query:"address" json:"-"`
}
