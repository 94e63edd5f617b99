// Package users hands out numeric users to allocations: each has one of its own, which no entry of the password file stands for and no other
// allocation of the node has, so that what two tasks without a user do never meets. It owns no goroutine; who was given what is kept by the
// steps that asked (client/steps).
package users

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// The usual range.
const (
	DefaultMin = 80000
	DefaultMax = 89999
)

// Pool is a range of users. All methods may be called on a nil Pool, which has none.
type Pool struct {
	low, high int

	mu     sync.Mutex
	owners map[int]string // allocation by user
	given  map[string]int // user by allocation
}

// New makes a pool of the users from low to high.
func New(low, high int) *Pool {
	return &Pool{low: low, high: high, owners: map[int]string{}, given: map[string]int{}}
}

// Acquire gives the allocation's user. Who asks first gets one at random, so that numbers do not come again soon.
func (p *Pool) Acquire(alloc string) (int, error) {
	if p == nil {
		return 0, fmt.Errorf("no users are handed out on this node")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if uid, ok := p.given[alloc]; ok {
		return uid, nil
	}
	size := p.high - p.low + 1
	if len(p.owners) >= size {
		return 0, fmt.Errorf("all users from %d to %d are in use: let the job name one, or widen client.users", p.low, p.high)
	}
	uid := p.low + rand.IntN(size)
	for p.owners[uid] != "" {
		if uid++; uid > p.high {
			uid = p.low
		}
	}
	p.owners[uid], p.given[alloc] = alloc, uid
	return uid, nil
}

// Restore notes that the allocation has had this user since an earlier life of the agent.
func (p *Pool) Restore(alloc string, uid int) {
	if p == nil || uid <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners[uid], p.given[alloc] = alloc, uid
}

// Of gives the allocation's user, if it has one.
func (p *Pool) Of(alloc string) (int, bool) {
	if p == nil {
		return 0, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	uid, ok := p.given[alloc]
	return uid, ok
}

// Release takes the allocation's user back, once nothing that belongs to it is left.
func (p *Pool) Release(alloc string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if uid, ok := p.given[alloc]; ok && p.owners[uid] == alloc {
		delete(p.owners, uid)
	}
	delete(p.given, alloc)
}

// Name is how a user of a pool is called in drivers.TaskConfig.User. Nomad's drivers know them by this name.
func Name(uid int) string { return "nomad-" + strconv.Itoa(uid) }

// Holds is whether a user named in a job is one that the pool hands out. Nobody may take those.
func (p *Pool) Holds(user string) bool {
	if p == nil {
		return false
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(user, "nomad-"), ":")
	uid, err := strconv.Atoi(number)
	return err == nil && uid >= p.low && uid <= p.high
}
