package reconcile

import (
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// Choices between an allocation that has come back and its replacement.
const (
	longestRunning  = "longest_running"
	keepOriginal    = "keep_original"
	keepReplacement = "keep_replacement"
)

// presence is what is known of an allocation that shall run.
type presence int

const (
	present presence = iota
	lost             // given up
	unknown          // may run on, and may come back
	waiting          // may run on for a while, and is then given up
)

// presence says whether an allocation is still to be reckoned with, and until
// when when its node is out of reach.
func (in *Input) presence(a *api.Allocation) (presence, time.Time) {
	n, ok := in.Node(a.NodeID)
	switch {
	case !ok:
		return lost, time.Time{}
	case !away(n) && a.ClientStatus != api.AllocClientUnknown:
		return present, time.Time{}
	case !away(n): // the client has not spoken yet
		if a.FollowupEvalID != "" && a.FollowupEvalID == in.EvalID {
			return lost, time.Time{}
		}
		return unknown, time.Time{}
	case a.ClientStatus == api.AllocClientPending: // nothing to come back to
		return lost, time.Time{}
	}
	d := disconnectOf(a)
	since := time.Unix(n.StatusUpdatedAt, 0)
	switch {
	case d == nil:
	case d.LostAfter > 0 && n.Status == api.NodeStatusDisconnected:
		return in.until(unknown, since.Add(d.LostAfter.Std()))
	case d.StopOnClientAfter > 0:
		return in.until(waiting, since.Add(d.StopOnClientAfter.Std()))
	case d.LostAfter <= 0 && !d.Replace:
		return unknown, time.Time{}
	}
	return lost, time.Time{}
}

func (in *Input) until(p presence, end time.Time) (presence, time.Time) {
	if !in.Now.Before(end) {
		return lost, time.Time{}
	}
	return p, end
}

func disconnectOf(a *api.Allocation) *api.DisconnectStrategy {
	if g := groupOf(a); g != nil {
		return g.Disconnect
	}
	return nil
}

// away notes what is new about an allocation whose node is out of reach, and
// sees to it that the job is looked at when its time is over.
func (g *Group) away(in *Input, a *api.Allocation, p presence, until time.Time) {
	n := Note{Alloc: a, Until: until, Trigger: api.TriggerMaxDisconnect}
	if p == unknown && a.ClientStatus != api.AllocClientUnknown {
		n.ClientStatus, n.Description = api.AllocClientUnknown, DescUnknown
		g.Desired.Disconnect++
	}
	g.wait(in, n)
}

// back notes that an allocation has come back.
func (g *Group) back(a *api.Allocation) {
	if a.DesiredDescription == DescUnknown && a.ClientStatus != api.AllocClientUnknown {
		g.Notes = append(g.Notes, Note{Alloc: a, Description: DescReconnected})
		g.Desired.Reconnect++
	}
}

// forget leaves out notes of what is stopped in the end.
func (g *Group) forget() {
	if len(g.Notes) == 0 || len(g.Stops) == 0 {
		return
	}
	stopped := make(map[*api.Allocation]bool, len(g.Stops))
	for _, s := range g.Stops {
		stopped[s.Alloc] = true
	}
	g.Notes = slices.DeleteFunc(g.Notes, func(n Note) bool {
		if stopped[n.Alloc] && n.ClientStatus == api.AllocClientUnknown {
			g.Desired.Disconnect--
		}
		return stopped[n.Alloc]
	})
}

// reconnect chooses between allocations that have come back and what has
// replaced them; the other is dropped.
func (c *cluster) reconnect() {
	for _, a := range c.allocs {
		if a.NextAllocation == "" || !c.heard(a) {
			continue
		}
		if c.drop == nil {
			c.drop, c.back = map[*api.Allocation]bool{}, map[string]bool{}
		}
		r := c.successor(a)
		switch {
		case r == nil:
			c.back[a.ID] = true
		case a.ClientTerminal(): // ends where it is classified
		case a.ClientStatus == api.AllocClientUnknown: // has not said so yet
		case c.keepsOriginal(a, r):
			c.supersede(a)
		default:
			c.drop[a] = true
		}
	}
}

// heard says whether an allocation is there to be reckoned with: its node is in
// reach, or it has been heard of as failed, which leaves its place to it.
func (c *cluster) heard(a *api.Allocation) bool {
	if a.ClientStatus == api.AllocClientFailed {
		return !a.ServerTerminal() && !(c.batch && c.in.older(a))
	}
	return !a.Terminal() && !c.in.nodeGone(a)
}

// stoodIn says whether an allocation was a replacement for one that has come
// back.
func (c *cluster) stoodIn(a *api.Allocation) bool { return c.original(a) != nil }

// original gives the allocation that has come back and that another was a
// replacement for; nil when there is none.
func (c *cluster) original(a *api.Allocation) *api.Allocation {
	if len(c.back) == 0 {
		return nil
	}
	for range c.allocs {
		back := c.back[a.PreviousAllocation]
		if a = c.lookup(a.PreviousAllocation); a == nil || back {
			return a
		}
	}
	return nil
}

// successor gives the allocation that runs, and goes on to run, in place of
// another: the last of those that have replaced each other since.
func (c *cluster) successor(a *api.Allocation) (last *api.Allocation) {
	for range c.allocs {
		if a = c.lookup(a.NextAllocation); a == nil {
			break
		}
		if a.Terminal() {
			continue
		}
		if p, _ := c.in.presence(a); p != lost {
			last = a
		}
	}
	return last
}

// supersede drops all that has replaced an allocation.
func (c *cluster) supersede(a *api.Allocation) {
	for range c.allocs {
		if a = c.lookup(a.NextAllocation); a == nil {
			return
		}
		if !a.Terminal() {
			c.drop[a] = true
		}
	}
}

// root gives the ID of the first of the allocations that have replaced each
// other.
func (c *cluster) root(a *api.Allocation) string {
	for range c.allocs {
		p := c.lookup(a.PreviousAllocation)
		if p == nil {
			break
		}
		a = p
	}
	return a.ID
}

func (c *cluster) lookup(id string) *api.Allocation {
	if id == "" {
		return nil
	}
	if c.byID == nil {
		c.byID = make(map[string]*api.Allocation, len(c.allocs))
		for _, x := range c.allocs {
			c.byID[x.ID] = x
		}
	}
	return c.byID[id]
}

func (c *cluster) replaced(a *api.Allocation) bool {
	return a.NextAllocation != "" && c.successor(a) != nil
}

func (c *cluster) keepsOriginal(o, r *api.Allocation) bool {
	switch {
	case migrates(o) || c.in.current(r) && c.in.older(o):
		return false
	case migrates(r) || r.ClientStatus == api.AllocClientUnknown || c.in.nodeGone(r) || c.in.current(o) && c.in.older(r):
		return true
	}
	how := ""
	if d := disconnectOf(o); d != nil {
		how = d.Reconcile
	}
	switch how {
	case keepOriginal:
		return true
	case keepReplacement:
		return false
	case longestRunning:
		started, other := startOf(o), startOf(r)
		return other.IsZero() || !started.IsZero() && !other.Before(started)
	}
	return scoreOf(o) >= scoreOf(r)
}

// startOf is since when all tasks of an allocation have run; zero when they do
// not.
func startOf(a *api.Allocation) time.Time {
	var last time.Time
	for _, t := range a.States() {
		if t != nil && t.State == api.TaskStateRunning && t.StartedAt.After(last) {
			last = t.StartedAt
		}
	}
	return last
}

// scoreOf is the score with which an allocation's node was chosen.
func scoreOf(a *api.Allocation) float64 {
	if a.Metrics == nil {
		return 0
	}
	best := 0.0
	for i, m := range a.Metrics.ScoreMetaData {
		if m.NodeID == a.NodeID {
			return m.NormScore
		}
		if i == 0 {
			best = m.NormScore
		}
	}
	return best
}
