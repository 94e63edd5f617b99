package gossip

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
)

// DefaultPort is where servers gossip unless they are told otherwise.
const DefaultPort = 4648

// Status is what is known of a server's life.
type Status string

// States of a member, by the names that tools know.
const (
	Alive   Status = "alive"
	Leaving Status = "leaving"
	Left    Status = "left"
	Failed  Status = "failed"
)

// Server is what a server says of itself.
type Server struct {
	Name       string // HOST.REGION, unique among the living
	ID         string // for ever
	Region     string
	Datacenter string
	Build      string
	Address    string // of its RPC listener, host:port
	Expect     int    // bootstrap_expect
	Nonvoter   bool   // never has a vote
	Zone       string // redundancy zone; empty: none
	Cluster    string // ID of its cluster; empty while it belongs to none
	Clock      time.Time

	// ProtocolMin and ProtocolMax are the protocol versions of a cluster that it
	// can be part of. Servers without one in common are refused.
	ProtocolMin, ProtocolMax int

	// Status and Gossip are what is seen of it, not what it says.
	Status Status
	Gossip string // address, host:port
}

// Names of the tags. Those of role to bootstrap are as Nomad's tools know them.
const (
	tagRole      = "role"
	tagRegion    = "region"
	tagDC        = "dc"
	tagID        = "id"
	tagHost      = "rpc_addr"
	tagPort      = "port"
	tagBuild     = "build"
	tagVersion   = "vsn"
	tagRaft      = "raft_vsn"
	tagExpect    = "expect"
	tagBootstrap = "bootstrap"
	tagNonvoter  = "nonvoter"
	tagZone      = "zone"
	tagMin       = "protocol_min" // no server of Nomad has it
	tagMax       = "protocol_max"
	tagCluster   = "cluster"
	tagClock     = "clock" // Unix seconds when the tags were last sent

	role = "nomad"
)

// Limits of what is taken from others.
const (
	maxTags = 64
	maxText = 256
)

// tags gives what the server says in the form that travels.
func (s *Server) tags() map[string]string {
	host, port, _ := net.SplitHostPort(s.Address)
	t := map[string]string{
		tagRole: role, tagRegion: s.Region, tagDC: s.Datacenter, tagID: s.ID, tagHost: host, tagPort: port,
		tagBuild: s.Build, tagVersion: "1", tagRaft: "3", tagMin: strconv.Itoa(s.ProtocolMin), tagMax: strconv.Itoa(s.ProtocolMax),
		tagClock: strconv.FormatInt(s.Clock.Unix(), 10),
	}
	optional := func(name, value string, set bool) {
		if set {
			t[name] = value
		}
	}
	optional(tagBootstrap, "1", s.Expect == 1)
	optional(tagExpect, strconv.Itoa(s.Expect), s.Expect > 0)
	optional(tagNonvoter, "1", s.Nonvoter)
	optional(tagZone, s.Zone, s.Zone != "")
	optional(tagCluster, s.Cluster, s.Cluster != "")
	return t
}

// decode reads what a member says of itself. The error, of kind
// api.ErrInvalid, says what it is that is no server of ours.
func decode(name string, tags map[string]string) (*Server, error) {
	if len(tags) > maxTags {
		return nil, api.Errorf(api.ErrInvalid, "it has %d tags", len(tags))
	}
	for k, v := range tags {
		if len(k) > maxText || len(v) > maxText {
			return nil, api.Errorf(api.ErrInvalid, "a tag of more than %d bytes", maxText)
		}
	}
	if tags[tagRole] != role || tags[tagMax] == "" {
		return nil, api.Errorf(api.ErrInvalid, "it is no serai server (role %q)", tags[tagRole])
	}
	if name == "" || len(name) > maxText || tags[tagID] == "" || tags[tagRegion] == "" {
		return nil, api.Errorf(api.ErrInvalid, "it has no name, ID or region")
	}
	s := &Server{
		Name: name, ID: tags[tagID], Region: tags[tagRegion], Datacenter: tags[tagDC], Build: tags[tagBuild],
		Nonvoter: tags[tagNonvoter] == "1", Zone: tags[tagZone], Cluster: tags[tagCluster],
	}
	port, err := strconv.ParseUint(tags[tagPort], 10, 16)
	if err != nil || port == 0 || tags[tagHost] == "" {
		return nil, api.Errorf(api.ErrInvalid, "its RPC address %q with port %q is none", tags[tagHost], tags[tagPort])
	}
	s.Address = net.JoinHostPort(tags[tagHost], strconv.FormatUint(port, 10))
	if text := tags[tagExpect]; text != "" {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return nil, api.Errorf(api.ErrInvalid, "it expects %q servers", text)
		}
		s.Expect = int(n)
	}
	if s.ProtocolMin, err = versionOf(tags[tagMin]); err != nil {
		return nil, err
	}
	if s.ProtocolMax, err = versionOf(tags[tagMax]); err != nil {
		return nil, err
	}
	clock, err := strconv.ParseInt(tags[tagClock], 10, 64)
	if err != nil || clock < 0 || clock > 1<<40 {
		return nil, api.Errorf(api.ErrInvalid, "its clock says %q", tags[tagClock])
	}
	s.Clock = time.Unix(clock, 0)
	return s, nil
}

func versionOf(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, api.Errorf(api.ErrInvalid, "its protocol version is %q", text)
	}
	return int(n), nil
}

// String names the server for logs and errors.
func (s *Server) String() string { return fmt.Sprintf("%s (%s)", s.Name, s.ID) }
