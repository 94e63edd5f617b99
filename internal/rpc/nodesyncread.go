package rpc

import (
	"fmt"
	"sync"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// decoded remembers the objects of bytes that came before, so that all
// allocations of a job share one. They must not be changed.
type decoded struct {
	mu      sync.Mutex
	objects map[string]any
}

// maxDecoded is how many objects are remembered at the most.
const maxDecoded = 1024

// lookup gives the object of some bytes.
func lookup[T any](d *decoded, b []byte) (*T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x, ok := d.objects[string(b)].(*T); ok {
		return x, nil
	}
	x := new(T)
	if err := wire.Unmarshal(b, x); err != nil {
		return nil, err
	}
	if d.objects == nil || len(d.objects) >= maxDecoded {
		d.objects = map[string]any{}
	}
	d.objects[string(b)] = x
	return x, nil
}

// decodeSync reads a message that encodeSync wrote.
func (d *decoded) decodeSync(b []byte) (*api.NodeSync, error) {
	r := &syncReader{Reader: wire.NewReader(b), decoded: d}
	m := &api.NodeSync{Index: r.Uint()}
	switch kind := r.Byte(); kind {
	case kindChanges:
	case kindFull:
		m.Full = true
	case kindResumed:
		m.Resumed = true
	default:
		return nil, fmt.Errorf("message of allocations: %w: kind %d", wire.ErrMalformed, kind)
	}
	for range r.Len() {
		m.Removed = append(m.Removed, r.ID())
	}
	for range r.Len() {
		a := r.allocation()
		if r.Err() != nil || r.err != nil {
			break
		}
		m.Allocs = append(m.Allocs, a)
	}
	if r.err != nil {
		return nil, fmt.Errorf("message of allocations: %w", r.err)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("message of allocations: %w", err)
	}
	return m, nil
}

type syncReader struct {
	*wire.Reader
	decoded *decoded
	objects []any // of this message, in order
	err     error
}

// object reads an object or the number of an earlier one.
func object[T any](r *syncReader) *T {
	n := r.Uint()
	if r.Err() != nil || r.err != nil {
		return nil
	}
	if n == 0 {
		x, err := lookup[T](r.decoded, r.Blob())
		if err != nil {
			r.err = err
			return nil
		}
		r.objects = append(r.objects, x)
		return x
	}
	if n > uint64(len(r.objects)) {
		r.err = fmt.Errorf("%w: object %d of %d", wire.ErrMalformed, n, len(r.objects))
		return nil
	}
	x, ok := r.objects[n-1].(*T)
	if !ok {
		r.err = fmt.Errorf("%w: object %d is of another kind", wire.ErrMalformed, n)
	}
	return x
}

func (r *syncReader) allocation() *api.Allocation {
	a := &api.Allocation{ID: r.ID()}
	set := r.Uint()
	for _, s := range texts(a) {
		*s = r.Ref()
	}
	a.Name = r.String()
	a.CreateIndex, a.ModifyIndex, a.AllocModifyIndex = r.Uint(), r.Uint(), r.Uint()
	a.CreateTime, a.ModifyTime = r.Int(), r.Int()
	a.Job = object[api.Job](r)
	if set&syncResources != 0 {
		if base := object[api.AllocatedResources](r); base != nil {
			own := *base
			own.Shared.Ports = r.Ports()
			if set&syncNetworks != 0 {
				r.Object(&own.Shared.Networks)
			}
			a.AllocatedResources = &own
		}
	}
	if r.err == nil {
		r.rare(a, set)
	}
	return a
}

func (r *syncReader) rare(a *api.Allocation, set uint64) {
	if set&syncTasks != 0 {
		a.TaskStates = r.Tasks()
	}
	if set&syncLinks != 0 {
		a.FollowupEvalID, a.PreviousAllocation, a.NextAllocation, a.PreemptedByAllocation = r.ID(), r.ID(), r.ID(), r.ID()
		for range r.Len() {
			a.PreemptedAllocations = append(a.PreemptedAllocations, r.ID())
		}
	}
	if set&syncTransition != 0 {
		r.Object(&a.DesiredTransition)
	}
	if set&syncDeployment != 0 {
		r.Object(&a.DeploymentStatus)
	}
	if set&syncReschedule != 0 {
		r.Object(&a.RescheduleTracker)
	}
	if set&syncNetwork != 0 {
		r.Object(&a.NetworkStatus)
	}
}
