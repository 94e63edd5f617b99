package server

import (
	"context"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server/fsm"
)

// Tags of a server's member that tell the protocol versions that it knows.
const (
	tagProtocolMin = "protocol_min"
	tagProtocolMax = "protocol_max"
)

// protocolEvery is how often the leader looks whether all servers know more.
const protocolEvery = 5 * time.Second

// protocolMax is the newest protocol version that this server is ready for: its
// build's, unless the operator holds it back.
func (s *Server) protocolMax() int {
	if held := s.cfg.Protocol; held > 0 {
		return min(held, version.ProtocolMax())
	}
	return version.ProtocolMax()
}

// protocolTags tells other servers what this one knows.
func (s *Server) protocolTags(tags map[string]string) map[string]string {
	tags[tagProtocolMin] = strconv.Itoa(version.ProtocolMin())
	tags[tagProtocolMax] = strconv.Itoa(s.protocolMax())
	return tags
}

// followProtocol raises the cluster's protocol version when all of its servers
// know a newer one. It is the leader's work, and never lowers the version.
func (s *Server) followProtocol(ctx context.Context) error {
	tick := time.NewTicker(protocolEvery)
	defer tick.Stop()
	for {
		if target := commonProtocol(s.Members().Members, s.Peers(), s.protocolMax()); target > s.store.View().Protocol() {
			if _, err := s.raft.Do(ctx, &fsm.ProtocolRaise{Version: target}); err != nil {
				return err
			}
			s.cfg.Logger.Info("all servers know a newer protocol version, the cluster uses it from here on", "protocol", target)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// commonProtocol gives the newest version that all servers are ready for. A
// server that has left does not count; one that has failed does, for it may come
// back. While Raft has more servers than are known as members, nobody can tell.
func commonProtocol(members []*api.AgentMember, peers []string, own int) int {
	common, known := own, 0
	for _, m := range members {
		if m.Status == "left" || m.Tags["role"] != "nomad" {
			continue
		}
		known++
		n, err := strconv.Atoi(m.Tags[tagProtocolMax])
		if err != nil || n < 1 {
			n = 1
		}
		common = min(common, n)
	}
	if known < len(peers) {
		return 1
	}
	return common
}
