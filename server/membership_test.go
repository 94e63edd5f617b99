package server

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seraihq/serai/server/gossip"
)

// TestTheSameServersAreTheFirstEverywhere: whatever order the servers are seen
// in, all choose the same list, with the same one at its head.
func TestTheSameServersAreTheFirstEverywhere(t *testing.T) {
	all := []*gossip.Server{
		{ID: "3", Status: gossip.Alive, Expect: 3}, {ID: "1", Status: gossip.Alive, Expect: 3}, {ID: "4", Status: gossip.Alive, Expect: 3},
		{ID: "0", Status: gossip.Failed, Expect: 3}, {ID: "2", Status: gossip.Alive, Expect: 3},
		{ID: "00", Status: gossip.Alive}, {ID: "000", Status: gossip.Alive, Expect: 3, Nonvoter: true}, {ID: "x", Status: gossip.Left, Expect: 5, Cluster: "gone"},
	}
	for range 50 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		list, why := firstServers(all, 3)
		if why != "" || len(list) != 3 || list[0].ID != "1" || list[1].ID != "2" || list[2].ID != "3" {
			t.Fatalf("%v, %q", list, why)
		}
	}
}

func TestServersWait(t *testing.T) {
	alive := func(id string, expect int, cluster string) *gossip.Server {
		return &gossip.Server{ID: id, Name: id, Status: gossip.Alive, Expect: expect, Cluster: cluster}
	}
	for want, all := range map[string][]*gossip.Server{
		"2 of 3 servers":           {alive("a", 3, ""), alive("b", 3, ""), alive("c", 0, "")},
		"b has bootstrap_expect":   {alive("a", 3, ""), alive("b", 5, ""), alive("c", 3, ""), alive("d", 3, "")},
		"c belongs to cluster one": {alive("a", 3, ""), alive("b", 3, ""), alive("c", 3, "one")},
	} {
		if list, why := firstServers(all, 3); list != nil || !strings.Contains(why, want) {
			t.Errorf("want %q: %v, %q", want, list, why)
		}
	}
}
