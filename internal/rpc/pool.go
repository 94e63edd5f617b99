package rpc

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// maxServers bounds the list that a server may tell.
	maxServers = 64
	// leastStay is how long a client stays with a server at the least, and up to
	// twice as long; then any of them is as good, and one that has come back gets
	// its share.
	leastStay = 10 * time.Minute
	// beforeSeeds is how many of the servers that were told are asked before those of
	// the configuration: of a list that is old, all may be gone.
	beforeSeeds = 3
)

// pool is the servers that a client knows: those that it was configured with,
// whose names may stand for several, and those that the servers themselves have
// told. It is safe for concurrent use.
type pool struct {
	mu    sync.Mutex
	seeds []string
	told  []string // in an order of this client's own; empty: nothing yet
	at    string   // the one that is asked first; empty: the first
	leave time.Time
	keep  func(seeds, told []string) // called when told has changed; nil: nobody asks

	shuffle func(servers []string)
}

func newPool(seeds []string) *pool {
	return &pool{seeds: slices.Clone(seeds), shuffle: func(list []string) {
		rand.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	}}
}

// order gives the servers in the order in which they should be asked: all that
// are told, from the current one on, and then those of the configuration.
func (p *pool) order() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.move()
	out := p.turned()
	at := min(len(out), beforeSeeds)
	for _, s := range p.seeds {
		if !slices.Contains(out, s) {
			out = slices.Insert(out, at, s)
			at++
		}
	}
	return out
}

// move turns to any of the servers when this client has been with one for long.
func (p *pool) move() {
	now := time.Now()
	if len(p.told) < 2 || now.Before(p.leave) {
		return
	}
	if !p.leave.IsZero() {
		p.at = p.told[rand.IntN(len(p.told))]
	}
	p.leave = now.Add(leastStay + rand.N(leastStay))
}

func (p *pool) list() []string {
	if len(p.told) > 0 {
		return p.told
	}
	return p.seeds
}

// known gives the servers, the current one first.
func (p *pool) known() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turned()
}

// turned gives the list from the current server on.
func (p *pool) turned() []string {
	list := p.list()
	i := max(0, slices.Index(list, p.at))
	return append(slices.Clone(list[i:]), list[:i]...)
}

// failed turns to the next server, unless somebody has done so.
func (p *pool) failed(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list()
	i := max(0, slices.Index(list, p.at))
	if len(list) > 0 && list[i] == server {
		p.at = list[(i+1)%len(list)]
	}
}

// tell replaces what is known by what a server says; an empty list changes
// nothing. Each client puts it into an order of its own, so that those of a
// server that is gone do not all turn to the same next one.
func (p *pool) tell(servers []string) {
	if len(servers) == 0 || len(servers) > maxServers {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if sameSet(p.told, servers) {
		return
	}
	p.told = slices.Clone(servers)
	p.shuffle(p.told)
	if p.keep != nil {
		p.keep(slices.Clone(p.seeds), slices.Clone(p.told))
	}
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// recall takes up what was told before a restart, if the configuration is the same
// and no server has said anything yet.
func (p *pool) recall(seeds, told []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.told) > 0 || len(told) == 0 || len(told) > maxServers || !slices.Equal(seeds, p.seeds) {
		return
	}
	p.told = slices.Clone(told)
	p.shuffle(p.told)
}

// replace takes a person's word for the servers, as if they were configured.
func (p *pool) replace(servers []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seeds, p.told, p.at = slices.Clone(servers), nil, ""
}
