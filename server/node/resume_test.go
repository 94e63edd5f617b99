package node

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// modelNode does with messages what a client agent does (package client).
type modelNode struct {
	allocs map[string]modelAlloc
	said   map[string]string // what it says because of messages, by allocation
	ended  map[string]int    // how often it was told that an allocation is to end
}

type modelAlloc struct {
	index       uint64
	status      string
	over, acked bool
}

func newModelNode() *modelNode {
	return &modelNode{allocs: map[string]modelAlloc{}, said: map[string]string{}, ended: map[string]int{}}
}

func (n *modelNode) clone() *modelNode {
	return &modelNode{maps.Clone(n.allocs), maps.Clone(n.said), maps.Clone(n.ended)}
}

func (n *modelNode) have() (out []api.AllocHeld) {
	for id, a := range n.allocs {
		h := api.AllocHeld{ID: id, Index: a.index, Status: a.status}
		if a.over && !a.acked {
			h.Index = 0
		}
		out = append(out, h)
	}
	return out
}

func (n *modelNode) apply(m *api.NodeSync) {
	named := map[string]bool{}
	for _, a := range m.Allocs {
		named[a.ID] = true
		n.alloc(a)
	}
	for _, id := range m.Removed {
		n.forget(id)
	}
	for id := range n.allocs {
		if m.Full && !named[id] {
			n.forget(id)
		}
	}
}

func (n *modelNode) alloc(a *api.Allocation) {
	h, known := n.allocs[a.ID]
	switch {
	case !known && a.ClientTerminal():
		return
	case !known && a.ServerTerminal():
		n.said[a.ID] = api.AllocClientComplete
		return
	case !known:
		h = modelAlloc{index: a.AllocModifyIndex, status: api.AllocClientPending}
	case h.over && h.status == a.ClientStatus:
		h.acked = true
	case h.over:
		n.said[a.ID] = h.status
	case h.index != a.AllocModifyIndex:
		h.index = a.AllocModifyIndex
	case h.status != a.ClientStatus:
		n.said[a.ID] = h.status
	}
	n.allocs[a.ID] = h
}

func (n *modelNode) forget(id string) {
	if h, ok := n.allocs[id]; ok {
		h.acked, h.over = true, true
		n.allocs[id] = h
		n.ended[id]++
	}
}

// world is a random history of the allocations of one node.
type world struct {
	*bench
	r         *rand.Rand
	loses     bool // the node also forgets what the servers do not know to be over
	next      int
	snapshots [][]byte
	behind    []*state.View // earlier states: what other servers may still have
}

func (w *world) any() *api.Allocation {
	var all []*api.Allocation
	for a := range w.store.View().AllocationsByNode(id(1)) {
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil
	}
	return all[w.r.IntN(len(all))]
}

// step changes something; restored says that it was everything.
func (w *world) step(n *modelNode) (what string) {
	w.behind = append(w.behind, w.store.View())
	a := w.any()
	switch k := w.r.IntN(12); {
	case k < 3 || a == nil:
		count := 1 + w.r.IntN(3)
		w.place(w.next, w.next+count)
		w.next += count
		return "placed"
	case k < 5:
		status := ""
		if w.r.IntN(4) == 0 {
			status = api.AllocClientUnknown
		}
		w.apply(&fsm.PlanApply{Plans: []fsm.Plan{{EvalID: id(900), Namespace: "default", JobID: "web", JobModifyIndex: a.Job.JobModifyIndex,
			Stops: []fsm.Stop{{AllocID: a.ID, ClientStatus: status, Keep: status != ""}}}}})
		return "stopped"
	case k < 8: // the node goes on with one, and the servers may hear of it
		h, ok := n.allocs[a.ID]
		if !ok || h.over {
			return "nothing"
		}
		if h.status = api.AllocClientRunning; w.r.IntN(2) == 0 {
			h.status, h.over = api.AllocClientComplete, true
		}
		heard := w.r.IntN(3) > 0
		if heard {
			w.apply(&fsm.AllocUpdate{Updates: []fsm.ClientUpdate{{ID: a.ID, ClientStatus: h.status}}})
			h.acked = h.over && w.r.IntN(2) == 0 // or the answer was lost
		}
		n.allocs[a.ID] = h
		return "reported"
	case k < 9: // collected by the node
		for id, h := range n.allocs {
			// A restored state may not know of the end: then the node says it again,
			// which nobody listens to here.
			row, ok := w.store.View().Allocation(id)
			if h.over && h.acked && (w.loses || !ok || row.ClientTerminal()) {
				delete(n.allocs, id)
				break
			}
		}
		return "collected by the node"
	case k < 10:
		if a.ClientTerminal() || w.r.IntN(4) == 0 {
			w.apply(&fsm.Reap{Allocs: []string{a.ID}})
		}
		return "collected"
	case k < 11 || len(w.snapshots) == 0:
		var b bytes.Buffer
		if err := w.store.View().WriteSnapshot(&b); err != nil {
			w.t.Fatal(err)
		}
		w.snapshots = append(w.snapshots, b.Bytes())
		return "saved"
	}
	if err := w.store.Restore(bytes.NewReader(w.snapshots[w.r.IntN(len(w.snapshots))])); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return "restored"
}

const (
	histories = 60
	steps     = 60
)

// TestResumedIsWhole: whatever a node has, a resumed message leads it to where a
// full one does, whoever sends it: also a server that is behind, or whose state
// was restored.
func TestResumedIsWhole(t *testing.T) {
	for seed := range uint64(histories) {
		run(t, func(b *bench) {
			b.register(1)
			w, n := &world{bench: b, r: rand.New(rand.NewPCG(seed, 0)), loses: true}, newModelNode()
			resumes := 0
			for i := range steps {
				what := w.step(n)
				views := []*state.View{b.store.View(), w.behind[w.r.IntN(len(w.behind))]}
				for _, v := range views {
					byWhole, byResumed := n.clone(), n.clone()
					byWhole.apply(whole(v, id(1)))
					m := resumed(v, id(1), n.have())
					byResumed.apply(m)
					if d := cmp.Diff(byWhole, byResumed, cmp.AllowUnexported(modelNode{}, modelAlloc{})); d != "" {
						t.Fatalf("seed %d, step %d, %s: whole and resumed differ (-whole +resumed):\n%s", seed, i, what, d)
					}
					if w.r.IntN(6) == 0 {
						n.apply(m)
						resumes++
					}
				}
			}
			if resumes == 0 || w.next == 0 {
				t.Errorf("seed %d: a history in which nothing happens", seed)
			}
		})
	}
}

// TestStreamsThatBreakMissNothing: after any number of streams that broke, some
// begun with everything and some with what was different, a node has what a full
// message would name.
func TestStreamsThatBreakMissNothing(t *testing.T) {
	for seed := range uint64(histories) {
		run(t, func(b *bench) {
			b.register(1)
			w, n := &world{bench: b, r: rand.New(rand.NewPCG(seed, 1))}, newModelNode()
			mine := make(chan struct{}, 1) // guards n; a mutex would keep synctest.Wait from returning
			kinds := map[string]int{}
			open := func() (end func()) {
				ctx, cancel := context.WithCancel(b.t.Context())
				req := &api.NodeSyncRequest{NodeID: id(1), SecretID: "secret1"}
				if w.r.IntN(5) > 0 {
					req.Have = n.have()
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = b.node.Sync(ctx, req, func(m *api.NodeSync) error {
						mine <- struct{}{}
						defer func() { <-mine }()
						kinds[fmt.Sprintf("full %t, resumed %t", m.Full, m.Resumed)]++
						n.apply(m)
						return nil
					})
				}()
				return func() { cancel(); <-done }
			}
			for range steps / 6 {
				end := open()
				for range w.r.IntN(6) {
					time.Sleep(time.Duration(w.r.IntN(30)) * time.Millisecond)
					synctest.Wait()
					mine <- struct{}{}
					w.step(n)
					<-mine
				}
				if w.r.IntN(2) == 0 {
					end() // and what changes now is missed
					w.step(n)
					continue
				}
				time.Sleep(2*removedAfter + messagesSave)
				synctest.Wait()
				mine <- struct{}{}
				again := n.clone()
				again.apply(whole(b.store.View(), id(1)))
				for id, a := range n.allocs {
					// That the servers know of an end is said in any case; what ends
					// does so once.
					if b := again.allocs[id]; a.index != b.index || again.ended[id] > n.ended[id] && !a.over {
						t.Errorf("seed %d: allocation %s is %+v, and %+v after a full message", seed, id, a, b)
					}
				}
				for id := range again.allocs {
					if _, ok := n.allocs[id]; !ok {
						t.Errorf("seed %d: allocation %s was missed", seed, id)
					}
				}
				<-mine
				end()
			}
			if kinds["full false, resumed true"] == 0 {
				t.Errorf("seed %d: no stream was resumed: %v", seed, kinds)
			}
		})
	}
}
