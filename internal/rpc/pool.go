package rpc

import (
	"slices"
	"sync"
)

// maxServers bounds the list that a server may tell.
const maxServers = 64

// pool is the servers that a client knows: those that it was configured with,
// whose names may stand for several, and those that the servers themselves have
// told. It is safe for concurrent use.
type pool struct {
	mu    sync.Mutex
	seeds []string
	told  []string // empty: nothing yet
	at    string   // the one that is asked first; empty: the first
}

func newPool(seeds []string) *pool { return &pool{seeds: slices.Clone(seeds)} }

// order gives the servers in the order in which they should be asked: all that
// are told, from the current one on, and then those of the configuration.
func (p *pool) order() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.turned()
	for _, s := range p.seeds {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
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
// nothing.
func (p *pool) tell(servers []string) {
	if len(servers) == 0 || len(servers) > maxServers {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = slices.Clone(servers)
}

// replace takes a person's word for the servers, as if they were configured.
func (p *pool) replace(servers []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seeds, p.told, p.at = slices.Clone(servers), nil, ""
}
