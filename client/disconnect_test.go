package client

import (
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

func disconnecting(d api.DisconnectStrategy) *api.Allocation {
	a := newAlloc("service", mockTask("main", map[string]any{"run_for": "1h"}))
	a.Job.TaskGroups[0].Disconnect = &d
	return a
}

func (c *cluster) refuseAll(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = err
	for ch := range c.streams { // the connection breaks
		close(ch)
		delete(c.streams, ch)
	}
}

// Out of the servers' reach, what must not run alone is stopped and the rest
// runs on; when they are back they are told at once.
func TestOutOfReach(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	stops := disconnecting(api.DisconnectStrategy{StopOnClientAfter: api.Duration(1500 * time.Millisecond)})
	stays := disconnecting(api.DisconnectStrategy{LostAfter: api.Duration(time.Hour)})
	s.put(stops, stays)
	s.status(t, stops.ID, api.AllocClientRunning)
	s.status(t, stays.ID, api.AllocClientRunning)
	began := time.Now()
	s.refuseAll(api.ErrNoLeader)
	e, _ := a.lookup(stops.ID)
	select {
	case <-e.Ended():
	case <-time.After(20 * time.Second):
		t.Fatal("it was not stopped")
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("stopped after %v", took)
	}
	if e, _ := a.lookup(stays.ID); e.Over() {
		t.Error("the other was stopped too")
	}
	s.mu.Lock()
	for _, id := range []string{stops.ID, stays.ID} {
		lost := *s.allocs[id]
		s.index++
		lost.ClientStatus, lost.AllocModifyIndex = api.AllocClientUnknown, s.index
		s.allocs[id] = &lost
	}
	s.refuse = nil
	s.mu.Unlock()
	got := s.status(t, stops.ID, api.AllocClientComplete)
	if !strings.Contains(got.ClientDescription, "stop_on_client_after") || !strings.Contains(history(got), "out of reach") {
		t.Errorf("%q\n%s", got.ClientDescription, history(got))
	}
	s.status(t, stays.ID, api.AllocClientRunning)
	s.await(t, "the event", func() bool { return strings.Contains(history(s.allocs[stays.ID]), api.TaskClientReconnected) })
}

// Servers that want to hear seldom are within reach all the same.
func TestWithinReach(t *testing.T) {
	s := newCluster()
	s.ttl = time.Hour
	a := dev(t, s)
	alloc := disconnecting(api.DisconnectStrategy{StopOnClientAfter: api.Duration(3 * time.Second)})
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientRunning)
	eventually(t, "heartbeats", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.beats >= 3
	})
	if e, _ := a.lookup(alloc.ID); e.Over() {
		t.Error("it was stopped")
	}
}

// The time goes on while no agent is there, by the machine's own clock.
func TestOutOfReachOverRestart(t *testing.T) {
	s := newCluster()
	cfg := config(t, t.TempDir(), s)
	up := time.Hour
	cfg.bootClock = func() (string, time.Duration, error) { return "boot", up, nil }
	a := start(t, cfg)
	alloc := newAlloc("service", shell("main", "exec sleep 1000"))
	alloc.Job.TaskGroups[0].Disconnect = &api.DisconnectStrategy{StopOnClientAfter: api.Duration(10 * time.Minute)}
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientRunning)
	eventually(t, "the contact is kept", func() bool { c, err := a.store.Contact(); return err == nil && c.Boot == "boot" })
	a.end(t)
	s.refuseAll(api.ErrNoLeader)
	cfg.StopTasks = true
	for _, test := range []struct {
		away  time.Duration
		stops bool
	}{{5 * time.Minute, false}, {11 * time.Minute, true}} {
		up = time.Hour + test.away
		cfg.StopTasks = test.stops
		b := start(t, cfg)
		eventually(t, "taken up", func() bool { return b.HasAlloc(alloc.ID) })
		e, _ := b.lookup(alloc.ID)
		ended := false
		select {
		case <-e.Ended():
			ended = true
		case <-time.After(map[bool]time.Duration{true: 20 * time.Second, false: 1500 * time.Millisecond}[test.stops]):
		}
		if ended != test.stops {
			t.Errorf("after %v: ended %v", test.away, ended)
		}
		b.end(t)
	}
}

// A server that finds nothing, not even where nodes register, is not asked all
// the time.
func TestRegistrationIsPaced(t *testing.T) {
	s := newCluster()
	dev(t, s)
	s.mu.Lock()
	s.asked = 0
	s.mu.Unlock()
	s.refuseAll(api.Errorf(api.ErrNotFound, "this server knows no call"))
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked < 1 || s.asked > 60 {
		t.Errorf("%d registrations within a second", s.asked)
	}
}
