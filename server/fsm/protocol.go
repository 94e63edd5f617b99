package fsm

import (
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server/state"
)

// ProtocolRaise raises the protocol version of the cluster: from here on the log
// may hold what is new in it. A server that does not know the version cannot
// apply the command and stops. A version that is not higher changes nothing.
// The result is the version that holds, an int.
type ProtocolRaise struct {
	Version int
}

func (c *ProtocolRaise) apply(tx *state.Tx) (any, error) {
	now := tx.Protocol()
	old, ok := tx.ClusterMeta()
	if !ok || c.Version <= now { // a cluster without an identity has nothing new to say
		return now, nil
	}
	m := *old
	m.Protocol = c.Version
	tx.PutClusterMeta(&m)
	return c.Version, nil
}

func (c *ProtocolRaise) known() error {
	if newest := version.ProtocolMax(); c.Version > newest {
		return fmt.Errorf("the cluster has moved to protocol version %d and this build knows up to %d; install a build at least as new as those of the other servers", c.Version, newest)
	}
	return nil
}

// judge is a command of which one build may know more than another.
type judge interface {
	// known says why this build cannot apply the command; nil when it can.
	known() error
}

// gated is a command with fields that came after the command itself.
type gated interface {
	// needs gives the protocol version of the newest field that is set.
	needs() int
}

// Needs gives the protocol version that a cluster must have before the command
// may be written to its log.
func Needs(c Command) int {
	since := max(1, byType[reflect.TypeOf(c)].since)
	if g, ok := c.(gated); ok {
		since = max(since, g.needs())
	}
	return since
}

// Allow says whether a log entry may be written while the cluster has the given
// protocol version. It looks at the command's number alone: its fields are the
// business of who encodes it (Needs).
func Allow(entry []byte, protocol int) error {
	if len(entry) < 2 {
		return api.Errorf(api.ErrInvalid, "an entry of %d bytes is no command", len(entry))
	}
	number := Number(binary.BigEndian.Uint16(entry))
	d, ok := byNumber[number]
	if !ok {
		return api.Errorf(api.ErrInvalid, "command number %d is unknown to this server; the server that sent it is of a newer build: upgrade this one too", number)
	}
	return allow(d.name, d.since, protocol)
}

// AllowCommand is Allow for a command that is not encoded yet.
func AllowCommand(c Command, protocol int) error {
	return allow(byType[reflect.TypeOf(c)].name, Needs(c), protocol)
}

func allow(name string, since, protocol int) error {
	if since <= protocol {
		return nil
	}
	return api.Errorf(api.ErrUnavailable, "%s needs protocol version %d and the cluster is at %d: some servers run an older build, or hold the version back with server { protocol_version }; upgrade all servers first", name, since, protocol)
}
