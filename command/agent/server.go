package agent

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/agent/snapshot"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server"
	"github.com/seraihq/serai/server/backup"
	"github.com/seraihq/serai/server/endpoint"
	"github.com/seraihq/serai/server/gc"
	"github.com/seraihq/serai/server/heartbeat"
)

// openServer opens the server as configured.
func (a *Agent) openServer() (*server.Server, error) {
	c := a.cfg.Server
	dir := c.DataDir
	if a.cfg.DevMode {
		dir = ""
	}
	id, err := serverID(dir)
	if err != nil {
		return nil, err
	}
	saves, err := a.backups(id, dir)
	if err != nil {
		return nil, err
	}
	membership, err := a.membership()
	if err != nil {
		return nil, err
	}
	initial, err := initialToken(a.cfg.ACL)
	if err != nil {
		return nil, err
	}
	return server.Open(server.Config{
		Membership: membership,
		Backup:     saves,
		Name:       a.cfg.Name, ID: id, Region: a.cfg.Region, Datacenter: a.cfg.Datacenter,
		Address: a.rpcAddress(), Dir: dir, Version: version.String(), Logger: a.logger,
		SchedulerConfig: c.DefaultSchedulerConfig.API(),
		Limits: endpoint.Limits{
			JobMaxPriority: c.JobMaxPriority, JobMaxCount: c.JobMaxCount, JobMaxSourceSize: c.JobMaxSourceSize,
			JobTrackedVersions: c.JobTrackedVersions,
			SearchFuzzy:        c.Search.FuzzyEnabled, SearchLimitQuery: c.Search.LimitQuery,
			SearchLimitResults: c.Search.LimitResults, SearchMinTerm: c.Search.MinTermLength,
		},
		Drivers: checkDriver,
		GC: gc.Thresholds{
			Eval: c.EvalGCThreshold, BatchEval: c.BatchEvalGCThreshold, Job: c.JobGCThreshold,
			Node: c.NodeGCThreshold, Deployment: c.DeploymentGCThreshold, Token: c.ACLTokenGCThreshold,
			Child: cmp.Or(c.JobChildrenTTL, c.JobGCThreshold), MaxChildren: c.JobChildrenMax,
		},
		GCInterval: c.JobGCInterval,
		Heartbeat: server.Heartbeat{
			MinTTL: c.MinHeartbeatTTL, Grace: c.HeartbeatGrace, Failover: c.FailoverHeartbeatTTL, MaxPerSec: c.MaxHeartbeatsPerSecond,
			Brake: heartbeat.Brake{Share: float64(c.NodeDownBrake.Percent) / 100, Window: c.NodeDownBrake.Window, Least: c.NodeDownBrake.MinNodes},
		},
		ACL: server.ACL{
			Enabled: a.cfg.ACL.Enabled,
			Tokens:  endpoint.TokenLimits{MinTTL: a.cfg.ACL.TokenMinExpirationTTL, MaxTTL: a.cfg.ACL.TokenMaxExpirationTTL},
			Initial: initial,
		},
		TLS:           server.TLS{Keys: a.keys, CAKeyFile: a.cfg.TLS.CAKeyFile, Gossip: c.Encrypt.Reveal(), Peer: a.peers.trust},
		EventBuffer:   max(c.EventBufferSize, 1024),
		SnapshotAfter: uint64(max(c.RaftSnapshotThreshold, 0)), TrailingEntries: uint64(max(c.RaftTrailingLogs, 0)),
		Stream: a.raftStream(), Peer: a.peers.node, Bootstrap: a.bootstraps(), RaftMultiplier: c.RaftMultiplier,
		Protocol: c.ProtocolVersion, Issuer: c.OIDCIssuer,
	})
}

// backups says where and how often the leader saves snapshots; nowhere unless
// the configuration names a place.
func (a *Agent) backups(holder, dir string) (backup.Config, error) {
	c := a.cfg.Server.Snapshot
	if c.Interval == 0 {
		return backup.Config{}, nil
	}
	target, err := snapshot.Target(c, holder, os.Getenv)
	if err != nil {
		return backup.Config{}, fmt.Errorf("server.snapshot: %w", err)
	}
	return backup.Config{Target: target, Interval: c.Interval, Retain: c.Retain, Scratch: snapshot.Scratch(dir)}, nil
}

// rpcAddress is where other servers will reach this one.
func (a *Agent) rpcAddress() string {
	advertise := a.cfg.Advertise.RPC
	if advertise == "" {
		advertise = a.cfg.Addresses.RPC
	}
	if _, _, err := net.SplitHostPort(advertise); err == nil {
		return advertise
	}
	if ip := net.ParseIP(advertise); ip != nil {
		advertise = a.cfg.Reachable(ip)
	}
	port := a.cfg.Ports.RPC
	if port == 0 && a.rpc != nil {
		port = a.rpc.Address().Port
	}
	return net.JoinHostPort(advertise, strconv.Itoa(port))
}

// initialToken reads the secret of a new cluster's first management token. The
// file may be gone: it is of use once.
func initialToken(c config.ACL) (api.Sensitive, error) {
	if !c.Enabled || c.InitialTokenFile == "" {
		return "", nil
	}
	f, err := os.Open(c.InitialTokenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("acl.initial_token_file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 128))
	if err != nil {
		return "", fmt.Errorf("acl.initial_token_file: %w", err)
	}
	id, err := uuid.ParseBytes(bytes.TrimSpace(b))
	if err != nil {
		return "", fmt.Errorf("acl.initial_token_file %s holds no UUID; make one with uuidgen", c.InitialTokenFile)
	}
	return api.Sensitive(id.String()), nil
}

// serverID gives the name that the server has for ever, kept beside its log.
func serverID(dir string) (string, error) {
	if dir == "" {
		return uuid.NewString(), nil
	}
	path := filepath.Join(dir, "server-id")
	b, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(b)); err == nil && id != "" {
		return id, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	id := uuid.NewString()
	return id, writeDurably(path, []byte(id+"\n"))
}

// writeDurably writes a file that is there whole, or not at all, whenever the
// machine stops.
func writeDurably(path string, b []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
