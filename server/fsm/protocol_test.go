package fsm

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server/state"
)

// tomorrow is a command of a later protocol version, with a field of one later
// still.
type tomorrow struct{ Field bool }

func (c *tomorrow) apply(*state.Tx) (any, error) { return "applied", nil }

func (c *tomorrow) needs() int {
	if c.Field {
		return 8
	}
	return 0
}

func init() {
	d := define[tomorrow](65534, "tomorrow").from(7)
	byNumber[d.number], byType[reflect.TypeFor[*tomorrow]()] = d, d
}

func TestWhatIsNewWaitsForAllServers(t *testing.T) {
	entry, err := Encode(&tomorrow{})
	if err != nil {
		t.Fatal(err)
	}
	for protocol, want := range map[int]string{1: "protocol version 7", 6: "protocol version 7", 7: "", 9: ""} {
		for name, got := range map[string]error{"entry": Allow(entry, protocol), "command": AllowCommand(&tomorrow{}, protocol)} {
			if (want == "") != (got == nil) || got != nil && (!errors.Is(got, api.ErrUnavailable) || !strings.Contains(got.Error(), want)) {
				t.Errorf("%s at %d: %v", name, protocol, got)
			}
		}
	}
	if err := AllowCommand(&tomorrow{Field: true}, 7); err == nil || !strings.Contains(err.Error(), "protocol version 8") {
		t.Errorf("a field of version 8 at 7: %v", err)
	}
	if err := AllowCommand(&tomorrow{Field: true}, 8); err != nil {
		t.Error(err)
	}
}

// TestEveryCommandIsReachable: what this build has, a cluster of it can use.
func TestEveryCommandIsReachable(t *testing.T) {
	for _, d := range definitions {
		if d.since > version.ProtocolMax() {
			t.Errorf("%s is of protocol version %d and the build knows up to %d: raise the newest in internal/version", d.name, d.since, version.ProtocolMax())
		}
	}
}

func TestProtocolRaise(t *testing.T) {
	r := newReplica()
	apply := func(index uint64, c Command) (any, error) {
		data, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		return r.Apply(index, data)
	}
	if v, err := apply(11, &ProtocolRaise{Version: 1}); v != 1 || err != nil {
		t.Errorf("before the cluster has an identity: %v %v", v, err)
	}
	if _, err := apply(12, &ClusterMeta{ClusterID: "one"}); err != nil {
		t.Fatal(err)
	}
	_, err := apply(13, &ProtocolRaise{Version: version.ProtocolMax() + 1})
	if !Fatal(err) || !strings.Contains(err.Error(), "install a build") {
		t.Errorf("a version that this build does not know: %v", err)
	}
	if m, _ := r.Store().View().ClusterMeta(); m.ClusterID != "one" || r.Store().View().Protocol() != 1 {
		t.Errorf("the cluster is %+v", m)
	}
}
