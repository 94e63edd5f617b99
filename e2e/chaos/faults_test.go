package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"time"
)

// fault is a way to break things, and to heal them: where it returns, nothing is
// broken by it any more, and the cluster may need a moment.
type fault struct {
	name string
	long bool // it takes its time: not in the short form
	do   func(ctx context.Context, r *rand.Rand)
}

// faults lists what is done to the cluster.
func (c *cluster) faults() []fault {
	some := func(r *rand.Rand) *member { return c.servers[r.IntN(len(c.servers))] }
	lead := func() *member { return c.servers[c.leader()] }
	return []fault{
		{name: "kill a server", do: func(ctx context.Context, r *rand.Rand) { c.kill(ctx, some(r), r) }},
		{name: "kill the leader", do: func(ctx context.Context, r *rand.Rand) { c.kill(ctx, lead(), r) }},
		{name: "kill a client", do: func(ctx context.Context, r *rand.Rand) { c.kill(ctx, c.clients[r.IntN(len(c.clients))], r) }},
		{name: "kill all servers", do: c.killAll},
		{name: "kill a majority", do: func(ctx context.Context, r *rand.Rand) { c.killMajority(ctx, some(r), r) }},
		{name: "stop the leader for a while", do: func(ctx context.Context, r *rand.Rand) { c.freeze(ctx, lead(), r) }},
		{name: "stop a client for a while", do: func(ctx context.Context, r *rand.Rand) { c.freeze(ctx, c.clients[r.IntN(len(c.clients))], r) }},
		{name: "cut off the leader", do: func(ctx context.Context, r *rand.Rand) { c.isolate(ctx, c.leader(), r) }},
		{name: "cut off a server", do: func(ctx context.Context, r *rand.Rand) { c.isolate(ctx, r.IntN(len(c.servers)), r) }},
		{name: "cut all from each other", do: c.scatter},
		{name: "cut one way", do: c.cutOneWay},
		{name: "cut into a ring", do: c.ring},
		{name: "cut off a client", do: c.cutClient},
		{name: "lose 20 % of the packets", do: func(ctx context.Context, r *rand.Rand) { c.lossy(ctx, 20, r) }},
		{name: "lose 5 % of the packets", do: func(ctx context.Context, r *rand.Rand) { c.lossy(ctx, 5, r) }},
		{name: "delay packets by up to 50 ms", do: func(ctx context.Context, r *rand.Rand) { c.delay(ctx, 50*time.Millisecond, r) }},
		{name: "delay packets by up to 300 ms", do: func(ctx context.Context, r *rand.Rand) { c.delay(ctx, 300*time.Millisecond, r) }},
		{name: "clock jump of a server", do: func(ctx context.Context, r *rand.Rand) { c.jump(ctx, some(r), r) }},
		{name: "clock jump of the leader", do: func(ctx context.Context, r *rand.Rand) { c.jump(ctx, lead(), r) }},
		{name: "clock jump of a client", do: func(ctx context.Context, r *rand.Rand) { c.jump(ctx, c.clients[r.IntN(len(c.clients))], r) }},
		{name: "slow disk of the leader", do: func(ctx context.Context, r *rand.Rand) { c.slowDisk(ctx, lead(), r) }},
		{name: "slow disk of a server", do: func(ctx context.Context, r *rand.Rand) { c.slowDisk(ctx, some(r), r) }},
		{name: "full disk", do: c.fullDisk},
		{name: "full disk and kill", do: c.fullDiskKill},
		{name: "failing disk of the leader", do: func(ctx context.Context, r *rand.Rand) { c.failDisk(lead(), "wal:sync", func() {}) }},
		{name: "failing disk of a server", do: func(ctx context.Context, r *rand.Rand) { c.failDisk(some(r), "wal:sync", func() {}) }},
		{name: "disk fails under a vote", long: true, do: c.failVote},
		{name: "flipped bit in the log", long: true, do: func(ctx context.Context, r *rand.Rand) { c.damage(some(r), "*.wal", r) }},
		{name: "flipped bit in a snapshot", long: true, do: func(ctx context.Context, r *rand.Rand) { c.damage(some(r), "state.bin", r) }},
		{name: "flipped bit in a client's store", do: func(ctx context.Context, r *rand.Rand) { c.damageClient(c.clients[r.IntN(len(c.clients))], r) }},
		{name: "another build of a server", do: c.swap},
	}
}

// torment breaks one thing after the other, and heals it.
func (c *cluster) torment(ctx context.Context, short bool, random *rand.Rand) {
	faults, count := c.faults(), map[string]int{}
	defer func() {
		for _, f := range faults {
			if count[f.name] > 0 {
				c.t.Logf("%4d × %s", count[f.name], f.name)
			}
		}
	}()
	var bag []fault // all of them come before one comes again
	for ctx.Err() == nil && !c.t.Failed() {
		rest(ctx, random, 3*time.Second)
		if len(bag) == 0 {
			for _, i := range random.Perm(len(faults)) {
				if !faults[i].long || !short {
					bag = append(bag, faults[i])
				}
			}
		}
		f := bag[0]
		bag = bag[1:]
		c.t.Logf("%s %s", time.Now().Format(time.TimeOnly), f.name)
		count[f.name]++
		f.do(ctx, random)
		c.alive(f.name)
	}
}

// alive looks for agents that have ended by themselves, and starts them as an
// init system would.
func (c *cluster) alive(after string) {
	for _, m := range c.all() {
		if m.wait(0) {
			log := c.logged(m)
			c.t.Errorf("after %q agent %d has ended by itself:\n%s", after, m.index, log[max(0, len(log)-2000):])
			c.start(m)
		}
	}
}

// rest waits between half of and all of a time, or for the end.
func rest(ctx context.Context, random *rand.Rand, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(most/2 + time.Duration(random.Int64N(int64(most/2)))):
	}
}

// leader finds the server that says that it leads; the first when none does.
func (c *cluster) leader() int {
	for i := range c.servers {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		a, err := c.ask(ctx, i, http.MethodGet, "/v1/agent/health?type=leader", nil)
		cancel()
		if err == nil && a.status == http.StatusOK {
			return i
		}
	}
	return 0
}

func (c *cluster) kill(ctx context.Context, m *member, random *rand.Rand) {
	m.signal(syscall.SIGKILL)
	m.wait(10 * time.Second)
	rest(ctx, random, 2*time.Second)
	c.start(m)
}

func (c *cluster) killAll(context.Context, *rand.Rand) {
	for _, m := range c.servers {
		m.signal(syscall.SIGKILL)
	}
	for _, m := range c.servers {
		m.wait(10 * time.Second)
		c.start(m)
	}
}

// killMajority leaves one server: it may acknowledge nothing until another one is
// back, and answers who takes what may be old.
func (c *cluster) killMajority(ctx context.Context, left *member, random *rand.Rand) {
	for _, m := range c.servers {
		if m != left {
			m.signal(syscall.SIGKILL)
			m.wait(10 * time.Second)
		}
	}
	c.until(fmt.Sprintf("server %d, alone, answers a stale read", left.index), func(ctx context.Context) error {
		a, err := c.ask(ctx, left.index, http.MethodGet, "/v1/jobs?stale=true", nil)
		return a.failed(err)
	})
	rest(ctx, random, 4*time.Second)
	for _, m := range c.servers {
		if m != left {
			c.start(m)
		}
	}
}

func (c *cluster) freeze(ctx context.Context, m *member, random *rand.Rand) {
	m.signal(syscall.SIGSTOP)
	rest(ctx, random, 4*time.Second)
	m.signal(syscall.SIGCONT)
}

// isolate cuts a server off from the other servers, both ways.
func (c *cluster) isolate(ctx context.Context, i int, random *rand.Rand) {
	for j := range c.servers {
		if i != j {
			c.nw.cut(c.t, i, j)
			c.nw.cut(c.t, j, i)
		}
	}
	rest(ctx, random, 5*time.Second)
	c.nw.heal(c.t)
}

// scatter leaves no majority anywhere.
func (c *cluster) scatter(ctx context.Context, random *rand.Rand) {
	for i := range c.servers {
		for j := range c.servers {
			if i != j {
				c.nw.cut(c.t, i, j)
			}
		}
	}
	rest(ctx, random, 3*time.Second)
	c.nw.heal(c.t)
}

func (c *cluster) cutOneWay(ctx context.Context, random *rand.Rand) {
	i := c.leader()
	c.nw.cut(c.t, i, (i+1+random.IntN(len(c.servers)-1))%len(c.servers))
	rest(ctx, random, 4*time.Second)
	c.nw.heal(c.t)
}

// ring has each server hear its neighbour to the left alone; of three, that is all
// but one of the others.
func (c *cluster) ring(ctx context.Context, random *rand.Rand) {
	n := len(c.servers)
	for i := range n {
		for j := range n {
			if i != j && j != (i+1)%n {
				c.nw.cut(c.t, i, j)
			}
		}
	}
	rest(ctx, random, 5*time.Second)
	c.nw.heal(c.t)
}

func (c *cluster) cutClient(ctx context.Context, random *rand.Rand) {
	m := c.clients[random.IntN(len(c.clients))]
	for i := range c.servers {
		c.nw.cut(c.t, m.index, i)
		c.nw.cut(c.t, i, m.index)
	}
	rest(ctx, random, 6*time.Second)
	c.nw.heal(c.t)
}

func (c *cluster) lossy(ctx context.Context, percent int, random *rand.Rand) {
	for _, m := range c.all() {
		c.nw.lose(c.t, m.index, percent)
	}
	rest(ctx, random, 8*time.Second)
	c.nw.heal(c.t)
}

func (c *cluster) delay(ctx context.Context, most time.Duration, random *rand.Rand) {
	for _, a := range c.all() {
		for _, b := range c.all() {
			c.nw.slow(a.index, b.index, most)
		}
	}
	rest(ctx, random, 8*time.Second)
	c.nw.heal(c.t)
}

// shift sets the clock of a member ahead or behind.
func (c *cluster) shift(m *member, by time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := shiftClock(m.cmd.Process.Pid, by); err != nil {
		return err
	}
	m.shifted = by
	return nil
}

// clock asks an agent what time it is.
func (c *cluster) clock(ctx context.Context, i int) (time.Time, error) {
	a, err := c.ask(ctx, i, http.MethodGet, "/v1/agent/health", nil)
	if err != nil {
		return time.Time{}, err
	}
	return http.ParseTime(a.header.Get("Date"))
}

// jump sets a clock ahead or behind, at most so far that certificates are over, and
// later right again.
func (c *cluster) jump(ctx context.Context, m *member, random *rand.Rand) {
	by := []time.Duration{24 * time.Hour, -time.Hour, 45 * time.Second, -45 * time.Second, 400 * 24 * time.Hour}[random.IntN(5)]
	if err := c.shift(m, by); errors.Is(err, errNoClock) {
		c.t.Log(err)
		return
	} else if err != nil {
		c.t.Error(err)
		return
	}
	rest(ctx, random, 6*time.Second)
	if err := c.shift(m, 0); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) slowDisk(ctx context.Context, m *member, random *rand.Rand) {
	disarm := c.arm(m, "wal:sync", fmt.Sprintf("slow %dms", 50+random.IntN(500)))
	rest(ctx, random, 6*time.Second)
	disarm()
}

// full is the member with the small disk.
func (c *cluster) full() *member { return c.servers[1] }

func (c *cluster) fullDisk(ctx context.Context, random *rand.Rand) {
	free := c.fill(c.full())
	rest(ctx, random, 8*time.Second)
	free()
}

// fullDiskKill has a server start on a full disk.
func (c *cluster) fullDiskKill(ctx context.Context, random *rand.Rand) {
	m := c.full()
	free := c.fill(m)
	rest(ctx, random, 2*time.Second)
	c.kill(ctx, m, random)
	rest(ctx, random, 5*time.Second)
	free()
	if m.wait(0) { // it may have given up: there was no room even to begin
		c.start(m)
	}
}

// failVote has the disk of a server fail while it votes.
func (c *cluster) failVote(ctx context.Context, random *rand.Rand) {
	i := c.leader()
	m := c.servers[(i+1+random.IntN(len(c.servers)-1))%len(c.servers)]
	c.failDisk(m, "stable:sync", func() { c.servers[i].signal(syscall.SIGKILL) })
	c.servers[i].wait(10 * time.Second)
	c.start(c.servers[i])
}

// damageClient changes a bit of what a client keeps; it is a cache.
func (c *cluster) damageClient(m *member, random *rand.Rand) {
	m.signal(syscall.SIGKILL)
	m.wait(10 * time.Second)
	path, err := newest(m.dir, "state.db")
	if err == nil {
		err = flip(path, random)
		m.damaged = true
	}
	if err != nil {
		c.t.Error(err)
	}
	c.start(m)
}

// swap restarts a server with the other build: an upgrade, or the way back, which
// ends when the protocol version has risen.
func (c *cluster) swap(_ context.Context, random *rand.Rand) {
	if !c.held {
		return
	}
	m := c.servers[random.IntN(len(c.servers))]
	c.restart(m, func() { m.newer = !m.newer })
}

// restart stops a member as an operator does, and starts it again.
func (c *cluster) restart(m *member, change func()) {
	m.signal(syscall.SIGTERM)
	if !m.wait(60 * time.Second) {
		c.stuck(m)
	}
	change()
	c.start(m)
}

// upgrade gives all servers the newer build, one by one, and lets the protocol
// version rise.
func (c *cluster) upgrade() {
	if c.builds[1] == "" {
		return
	}
	c.held = false
	for _, m := range c.servers {
		c.configure(m)
		c.restart(m, func() { m.newer = true })
		c.healthy()
	}
	c.until("the protocol version has risen", func(ctx context.Context) error {
		a, err := c.ask(ctx, 0, http.MethodGet, "/v1/agent/self", nil)
		if err := a.failed(err); err != nil {
			return err
		}
		var self struct {
			Stats map[string]map[string]string `json:"stats"`
		}
		if err := json.Unmarshal(a.body, &self); err != nil {
			return err
		}
		if got := self.Stats["nomad"]["protocol"]; got != "2" {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}
