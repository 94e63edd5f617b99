package server

import (
	"testing"

	"github.com/seraihq/serai/api"
)

func TestCommonProtocol(t *testing.T) {
	member := func(status, newest string) *api.AgentMember {
		return &api.AgentMember{Status: status, Tags: map[string]string{"role": "nomad", tagProtocolMax: newest}}
	}
	peers := []string{"a", "b"}
	for name, c := range map[string]struct {
		members []*api.AgentMember
		peers   []string
		want    int
	}{
		"alone":                     {[]*api.AgentMember{member("alive", "3")}, peers[:1], 3},
		"an older one":              {[]*api.AgentMember{member("alive", "3"), member("alive", "2")}, peers, 2},
		"an older one has failed":   {[]*api.AgentMember{member("alive", "3"), member("failed", "2")}, peers, 2},
		"an older one has left":     {[]*api.AgentMember{member("alive", "3"), member("left", "2")}, peers[:1], 3},
		"one says nothing":          {[]*api.AgentMember{member("alive", "3"), member("alive", "")}, peers, 1},
		"one says nonsense":         {[]*api.AgentMember{member("alive", "3"), member("alive", "-7")}, peers, 1},
		"one is newer than us":      {[]*api.AgentMember{member("alive", "3"), member("alive", "9")}, peers, 3},
		"one is not known":          {[]*api.AgentMember{member("alive", "3")}, peers, 1},
		"what is no server is left": {[]*api.AgentMember{member("alive", "3"), {Status: "alive", Tags: map[string]string{"role": "x"}}}, peers[:1], 3},
	} {
		if got := commonProtocol(c.members, c.peers, 3); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
