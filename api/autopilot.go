package api

import (
	"encoding/json"
	"time"
)

// AutopilotConfiguration says how the servers of a cluster look after
// themselves. In JSON the durations are texts such as "10s".
type AutopilotConfiguration struct {
	CleanupDeadServers      bool     // servers that failed are removed from Raft
	LastContactThreshold    Duration // a server that has not heard from the leader for longer is unhealthy
	MaxTrailingLogs         uint64   // one that is further behind is unhealthy
	MinQuorum               uint     // no dead server is removed when fewer voters would remain; 0: no such bound
	ServerStabilizationTime Duration // a new server is healthy for so long before it votes
	EnableRedundancyZones   bool     // one voter a zone; the others of a zone stand by
	DisableUpgradeMigration bool     // servers of a newer build are never waited for, so this changes nothing
	EnableCustomUpgrades    bool     // not built: always false
	CreateIndex             uint64
	ModifyIndex             uint64
}

// DefaultAutopilotConfiguration is what a new cluster starts with.
func DefaultAutopilotConfiguration() *AutopilotConfiguration {
	return &AutopilotConfiguration{
		CleanupDeadServers: true, LastContactThreshold: Duration(200 * time.Millisecond),
		MaxTrailingLogs: 250, ServerStabilizationTime: Duration(10 * time.Second),
	}
}

// Validate says what is wrong with the configuration.
func (c *AutopilotConfiguration) Validate() error {
	switch {
	case c.EnableCustomUpgrades:
		return Errorf(ErrNotBuilt, "EnableCustomUpgrades: upgrade versions of one's own are not there; leave it out")
	case c.LastContactThreshold <= 0 || c.LastContactThreshold > Duration(time.Hour):
		return Errorf(ErrInvalid, "LastContactThreshold must be more than 0 and at most 1h, not %s", c.LastContactThreshold)
	case c.ServerStabilizationTime < 0 || c.ServerStabilizationTime > Duration(24*time.Hour):
		return Errorf(ErrInvalid, "ServerStabilizationTime must be from 0 to 24h, not %s", c.ServerStabilizationTime)
	case c.MinQuorum > 1000:
		return Errorf(ErrInvalid, "MinQuorum must be at most 1000, not %d", c.MinQuorum)
	}
	return nil
}

// MarshalJSON writes durations as texts.
func (c AutopilotConfiguration) MarshalJSON() ([]byte, error) {
	type plain AutopilotConfiguration
	return json.Marshal(struct {
		plain
		LastContactThreshold    string
		ServerStabilizationTime string
	}{plain(c), c.LastContactThreshold.String(), c.ServerStabilizationTime.String()})
}

// UnmarshalJSON reads over the defaults.
func (c *AutopilotConfiguration) UnmarshalJSON(b []byte) error {
	type plain AutopilotConfiguration
	p := plain(*DefaultAutopilotConfiguration())
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*c = AutopilotConfiguration(p)
	return nil
}

// AutopilotConfigRequest changes autopilot's configuration.
type AutopilotConfigRequest struct {
	WriteOptions
	CAS    *uint64                 `query:"cas" json:"-"` // refuse unless it is the ModifyIndex
	Config *AutopilotConfiguration `body:"" json:"-"`
}

// AutopilotHealthRequest asks for the health of the servers. The answer has the
// status 429 when they are not healthy, unless Always is set.
type AutopilotHealthRequest struct {
	QueryOptions
	Always bool `query:"always" json:"-"`
}

// AutopilotHealth is the health of the servers as the leader sees it.
type AutopilotHealth struct {
	Healthy                    bool
	FailureTolerance           int // voters that may fail at once without an outage
	OptimisticFailureTolerance int `json:",omitempty"` // and when they fail one after the other, with zones
	Servers                    []*ServerHealth
	Leader                     string                    // ID
	Voters                     []string                  // IDs
	ReadReplicas               []string                  `json:",omitempty"` // IDs of those that never vote
	RedundancyZones            map[string]*AutopilotZone `json:",omitempty"`
}

// AutopilotZone is the servers of a redundancy zone, by ID.
type AutopilotZone struct {
	Servers          []string
	Voters           []string
	FailureTolerance int
}

// ServerHealth is the health of one server.
type ServerHealth struct {
	ID          string
	Name        string
	Address     string // of its RPC listener, host:port
	SerfStatus  string // alive, leaving, left, failed or none
	Version     string
	Leader      bool
	LastContact Duration // since it heard from the leader; as a text in JSON
	LastTerm    uint64
	LastIndex   uint64
	Healthy     bool
	Voter       bool
	StableSince time.Time // when Healthy last changed
}

// MarshalJSON writes LastContact as a text.
func (h ServerHealth) MarshalJSON() ([]byte, error) {
	type plain ServerHealth
	return json.Marshal(struct {
		plain
		LastContact string
	}{plain(h), h.LastContact.String()})
}

// ReadIndexRequest asks the leader how far it is; with Verify it asks a majority
// first whether it still leads.
type ReadIndexRequest struct {
	Verify bool
}

// ReadIndex is the index of the last log entry in the leader's state.
type ReadIndex struct {
	Index uint64
}

// ServerStatusRequest asks a server who it is and how far. With Claim it asks
// it as well to become part of the cluster that the asking server is about to
// make of Servers.
type ServerStatusRequest struct {
	Claim   string   // ID of the server that asks; empty: none is made
	Servers []string // IDs of the cluster-to-be

	// Mark asks for the hashes of the server's tables as of the mark in this log
	// entry; 0: for none.
	Mark uint64 `json:",omitempty"`
}

// ServerStatus is what a server says of itself to another one.
type ServerStatus struct {
	ID           string
	Name         string // HOST.REGION
	Region       string
	Cluster      string   // ID of its cluster; empty: it belongs to none, or does not know yet
	Bootstrapped bool     // it has a log
	Expect       int      // bootstrap_expect
	Leader       string   // ID of the server that leads as far as it knows
	Servers      []string // IDs of the servers as its Raft knows them
	LastContact  Duration // since it heard from the leader; 0 when it leads, negative: never
	LastTerm     uint64
	LastIndex    uint64
	Claimed      bool   // the claim is granted
	Refusal      string // why not

	Tables    map[string]string `json:",omitempty"` // hash by table, as of the mark that was asked for
	TablesErr string            `json:",omitempty"` // why they are not there
}

// States of a server, as gossip and autopilot see them.
const (
	ServerAlive   = "alive"
	ServerLeaving = "leaving"
	ServerLeft    = "left"
	ServerFailed  = "failed"
	ServerUnknown = "none" // Raft has it and gossip does not
)
