package config

import (
	"net"
	"os"
	"time"

	"github.com/seraihq/serai/client/network"
	"github.com/seraihq/serai/internal/slow"
)

// Default is the configuration before any file or flag.
func Default() *Agent {
	return &Agent{
		Region: "global", Datacenter: "dc1", LogLevel: "INFO", LogRotateDuration: 24 * time.Hour,
		BindAddr:  "127.0.0.1",
		Ports:     Ports{HTTP: 4646, RPC: 4647, Serf: 4648},
		Client:    defaultClient(),
		Server:    defaultServer(),
		Autopilot: defaultAutopilot(),
		Telemetry: defaultTelemetry(),
		Limits: Limits{
			HTTPSHandshakeTimeout: 5 * time.Second, HTTPMaxConnsPerClient: 100,
			RPCHandshakeTimeout: 5 * time.Second, RPCMaxConnsPerClient: 100,
			HTTPReadHeaderTimeout: 10 * time.Second, HTTPIdleTimeout: 2 * time.Minute,
			HTTPMaxHeaderBytes: 64 << 10, HTTPMaxBodyBytes: 16 << 20,
		},
		ACL: ACL{
			TokenTTL: 30 * time.Second, PolicyTTL: 30 * time.Second, RoleTTL: 30 * time.Second, DownPolicy: DownExtend,
			TokenMinExpirationTTL: time.Minute, TokenMaxExpirationTTL: 24 * time.Hour,
		},
		TLS:    TLS{VerifyServerHostname: true, MinVersion: "tls12"},
		UI:     UI{Enabled: true, ShowCLIHints: true},
		places: map[string]place{},
	}
}

func defaultClient() Client {
	return Client{
		NodePool: "default", NoHostUUID: true, EnforceEphemeralDisk: true,
		MinDynamicPort: 20000, MaxDynamicPort: 32000,
		Users:      Users{DynamicUserMin: 80000, DynamicUserMax: 89999},
		BridgeName: network.DefaultBridge, BridgeSubnet: network.DefaultSubnet, BridgeHairpin: true, BridgeBlocked: network.Blocked(),
		CNIPath: "/opt/cni/bin", CNIConfigDir: "/opt/cni/config",
		MaxKillTimeout: 30 * time.Second, CgroupParent: "/serai",
		GCInterval: time.Minute, GCParallelDestroys: 2,
		GCDiskUsageThreshold: 80, GCInodeUsageThreshold: 70, GCMaxAllocs: 50,
		Artifact:   defaultArtifact(),
		ServerJoin: ServerJoin{RetryInterval: 30 * time.Second},
	}
}

func defaultServer() Server {
	return Server{
		StartTimeout:    30 * time.Second,
		NodeGCThreshold: 24 * time.Hour, JobGCInterval: 5 * time.Minute, JobGCThreshold: 4 * time.Hour,
		EvalGCThreshold: time.Hour, BatchEvalGCThreshold: 24 * time.Hour, DeploymentGCThreshold: time.Hour, ACLTokenGCThreshold: time.Hour,
		JobChildrenMax: 1000,
		HeartbeatGrace: 10 * time.Second, MinHeartbeatTTL: 10 * time.Second,
		MaxHeartbeatsPerSecond: 50, FailoverHeartbeatTTL: 5 * time.Minute,
		NodeDownBrake:      NodeDownBrake{Percent: 40, Window: time.Minute, MinNodes: 10},
		JobDefaultPriority: 50, JobMaxPriority: 100, JobMaxCount: 50000,
		JobMaxSourceSize: 1 << 20, JobTrackedVersions: 6,
		EnableEventBroker: true, EventBufferSize: 100,
		RaftMultiplier: 1, RaftSnapshotThreshold: 65536, RaftSnapshotInterval: 2 * time.Minute, RaftTrailingLogs: 1024,
		Snapshot: Snapshot{Retain: 30},
		DefaultSchedulerConfig: SchedulerConfig{
			SchedulerAlgorithm: "binpack",
			PreemptionConfig:   PreemptionConfig{SystemSchedulerEnabled: true},
		},
		Search:     Search{FuzzyEnabled: true, LimitQuery: 20, LimitResults: 100, MinTermLength: 2},
		ServerJoin: ServerJoin{RetryInterval: 30 * time.Second},
	}
}

func defaultTelemetry() Telemetry {
	return Telemetry{
		CollectionInterval: time.Second, InMemoryCollectionInterval: 10 * time.Second,
		InMemoryRetentionPeriod: time.Minute, FilterDefault: true, OTLPSample: 1,
		SlowRequest: slow.Usual.Request, SlowCommit: slow.Usual.Commit, SlowApply: slow.Usual.Apply,
		SlowFsync: slow.Usual.Fsync, SlowEvaluation: slow.Usual.Evaluation,
	}
}

// Dev is the configuration that `agent -dev` starts from: one agent that is
// server and client, on loopback, with its state in memory and every driver on.
// What files and flags say goes on top.
func Dev() *Agent {
	c := Default()
	c.DevMode = true
	c.EnableDebug = true
	c.Server.Enabled, c.Client.Enabled = true, true
	c.Server.BootstrapExpect = 1
	c.Client.GCDiskUsageThreshold, c.Client.GCInodeUsageThreshold = 99, 99
	c.Client.GCInterval = 10 * time.Minute
	c.Client.NetworkInterface = loopback()
	c.Telemetry.PrometheusMetrics = true
	c.Telemetry.PublishAllocationMetrics = true
	c.Telemetry.PublishNodeMetrics = true
	c.Plugins = map[string]Plugin{
		"raw_exec": {Config: map[string]any{"enabled": true}},
	}
	return c
}

// loopback names the loopback interface, so that the ports of a dev agent's
// tasks are offered to this machine only; empty when there is none.
func loopback() string {
	interfaces, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	return ""
}

// hostname is the default name of an agent.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "serai"
	}
	return name
}
