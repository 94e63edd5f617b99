package client

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact"
	"github.com/seraihq/serai/client/device"
	"github.com/seraihq/serai/client/driverset"
	"github.com/seraihq/serai/client/fingerprint"
	"github.com/seraihq/serai/client/network"
	"github.com/seraihq/serai/client/template"
	"github.com/seraihq/serai/client/users"
)

// Server is what a client needs of its servers. In one process it is the
// server's own service; over the network it is a proxy to it.
type Server interface {
	// Register makes the node known, or changes what is known of it.
	Register(ctx context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error)
	// Heartbeat says that the node lives.
	Heartbeat(ctx context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error)
	// Sync hands over what should run on the node, all of it first and then
	// what changes, until ctx ends, receive fails or the connection breaks.
	Sync(ctx context.Context, req *api.NodeSyncRequest, receive func(*api.NodeSync) error) error
	// UpdateAllocs takes what the client says of its allocations; it returns when that is durable.
	UpdateAllocs(ctx context.Context, req *api.AllocUpdateRequest) error
}

// ServerList is the servers that a client asks: those of the configuration, and
// those that the servers have told.
type ServerList interface {
	// Recall takes up what KeepServers gave to an earlier process.
	Recall(configured, told []string)
	// KeepServers has keep called when servers tell of others than before.
	KeepServers(keep func(configured, told []string))
}

// Identities is what signs identities of tasks: the servers.
type Identities interface {
	SignIdentities(ctx context.Context, req *api.IdentitySignRequest) (*api.IdentitySignResponse, error)
}

// Config is what New needs. Zero values get the defaults that the fields name.
type Config struct {
	Logger *slog.Logger
	Server Server

	// Servers is the list of servers that Server asks, kept over restarts; nil when
	// it is in this process.
	Servers ServerList

	Region     string // "global"
	Datacenter string // "dc1"
	Name       string // the host's name
	NodeClass  string
	NodePool   string // "default"
	Meta       map[string]string
	HTTPAddr   string // where this agent's HTTP API is reached
	TLSEnabled bool

	StateDir string // made with mode 0700
	AllocDir string // made with mode 0711

	// Drivers configures the node's drivers; Logger, Dir and Store are filled in.
	Drivers driverset.Config
	// Fingerprint is what the operator says of the node; AllocDir is filled in.
	Fingerprint    fingerprint.Config
	Reserved       api.NodeReservedResources
	HostVolumes    map[string]*api.HostVolumeInfo
	MinDynamicPort int // 20000
	MaxDynamicPort int // 32000
	// UserMin and UserMax are the users that are handed out to allocations.
	UserMin, UserMax int // 80000, 89999
	NodeMaxAllocs    int // 0: no limit
	Ineligible       bool
	// Network is what the operator says of the networks of allocations; Logger, Dir,
	// Node, Store and the functions are filled in.
	Network network.Config
	// Devices are what the operator has declared; nil for none.
	Devices []device.Config
	// Fetch gives the disk of an allocation of another node when that has ended,
	// as Archive writes it; nil when other nodes cannot be asked.
	Fetch func(ctx context.Context, allocID string) (io.ReadCloser, error)

	// Artifacts is what the operator says of artifacts; Logger is filled in.
	Artifacts artifact.Config

	// Templates is what the operator says of templates.
	Templates template.Settings

	// Identities has identities of tasks signed; nil: tasks with identities cannot
	// be started. ServeAPI answers the HTTP API on the socket of a task until that
	// is closed; nil: tasks have none.
	Identities Identities
	ServeAPI   func(net.Listener)

	// Publish says which metrics are worth measuring for.
	Publish Publish

	// FreeDisk lets allocations take more of the disk than they asked for.
	FreeDisk bool

	MaxKillTimeout    time.Duration // 30 s
	DisableRemoteExec bool
	GC                GC

	// StopTasks ends all tasks, and removes what they left, when Run ends: for
	// -dev. Otherwise tasks outlive the agent.
	StopTasks bool

	bootClock func() (boot string, up time.Duration, err error) // for tests
}

// Publish says which metrics are measured by the clock, and how often: no more
// than every 10 s.
type Publish struct {
	Allocations bool // what each task uses
	Node        bool // what the node's CPUs do
	Every       time.Duration
}

// GC says when finished allocations are collected.
type GC struct {
	Interval         time.Duration // 1 min
	ParallelDestroys int           // 2
	DiskUsage        float64       // percent of the file system, 80
	InodeUsage       float64       // percent, 70
	MaxAllocs        int           // 50 finished ones are kept at most
}

func (c *Config) defaults() {
	orText(&c.Region, api.DefaultRegion)
	orText(&c.Datacenter, "dc1")
	orText(&c.NodePool, api.NodePoolDefault)
	or(&c.MinDynamicPort, 20000)
	or(&c.MaxDynamicPort, 32000)
	or(&c.UserMin, users.DefaultMin)
	or(&c.UserMax, users.DefaultMax)
	or(&c.MaxKillTimeout, 30*time.Second)
	if c.bootClock == nil {
		c.bootClock = bootClock
	}
	or(&c.GC.Interval, time.Minute)
	or(&c.GC.ParallelDestroys, 2)
	or(&c.GC.DiskUsage, 80)
	or(&c.GC.InodeUsage, 70)
	or(&c.GC.MaxAllocs, 50)
}

func or[T int | float64 | time.Duration](v *T, fallback T) {
	if *v <= 0 {
		*v = fallback
	}
}

func orText(v *string, fallback string) {
	if *v == "" {
		*v = fallback
	}
}
