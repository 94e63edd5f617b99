package rpc

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// The compact form of an api.NodeSync: the jobs that its allocations are of
// come once each, and so does what tasks of one group were given. Metrics,
// which clients have no use for, stay with the servers.

// Parts of an allocation that few have.
const (
	syncResources = 1 << iota
	syncNetworks
	syncTransition
	syncTasks
	syncDeployment
	syncReschedule
	syncNetwork
	syncLinks
)

// encoded remembers the bytes of objects that are sent again and again: jobs,
// and what their groups are given. Such objects never change.
type encoded struct {
	mu    sync.Mutex
	bytes map[any]entry
}

type entry struct {
	bytes []byte
	keep  any // holds what the key's address belongs to
}

// maxEncoded is how many objects are remembered at the most.
const maxEncoded = 4096

func (e *encoded) of(key, keep any, x func() any) ([]byte, error) {
	e.mu.Lock()
	got, ok := e.bytes[key]
	e.mu.Unlock()
	if ok {
		return got.bytes, nil
	}
	b, err := wire.Marshal(x())
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bytes == nil || len(e.bytes) >= maxEncoded {
		e.bytes = map[any]entry{}
	}
	e.bytes[key] = entry{b, keep}
	return b, nil
}

// tasksKey is what of an allocation's resources it shares with others.
type tasksKey struct {
	tasks uintptr
	disk  int64
}

// encodeSync appends a message to b.
func (e *encoded) encodeSync(b []byte, m *api.NodeSync) ([]byte, error) {
	w := wire.NewWriter(b)
	w.Uint(m.Index)
	w.Byte(syncKind(m))
	w.Uint(uint64(len(m.Removed)))
	for _, id := range m.Removed {
		w.ID(id)
	}
	w.Uint(uint64(len(m.Allocs)))
	seen := map[any]uint64{}
	for _, a := range m.Allocs {
		if err := e.allocation(w, a, seen); err != nil {
			return nil, fmt.Errorf("allocation %s: %w", a.ID, err)
		}
	}
	return w.Bytes(), nil
}

// Kinds of messages.
const (
	kindChanges byte = iota
	kindFull
	kindResumed // only to who said what it has
)

func syncKind(m *api.NodeSync) byte {
	switch {
	case m.Full:
		return kindFull
	case m.Resumed:
		return kindResumed
	}
	return kindChanges
}

// object writes an object the first time, and its number from then on.
func (e *encoded) object(w *wire.Writer, seen map[any]uint64, key, keep any, x func() any) error {
	if n, ok := seen[key]; ok {
		w.Uint(n)
		return nil
	}
	b, err := e.of(key, keep, x)
	if err != nil {
		return err
	}
	seen[key] = uint64(len(seen)) + 1
	w.Uint(0)
	w.Blob(b)
	return nil
}

func bit(set bool, b uint64) uint64 {
	if set {
		return b
	}
	return 0
}

func linked(a *api.Allocation) bool {
	return a.FollowupEvalID != "" || a.PreviousAllocation != "" || a.NextAllocation != "" ||
		a.PreemptedByAllocation != "" || len(a.PreemptedAllocations) > 0
}

func texts(a *api.Allocation) [11]*string {
	return [...]*string{
		&a.Namespace, &a.EvalID, &a.NodeID, &a.NodeName, &a.JobID, &a.TaskGroup, &a.DesiredStatus,
		&a.DesiredDescription, &a.ClientStatus, &a.ClientDescription, &a.DeploymentID,
	}
}

func (e *encoded) allocation(w *wire.Writer, a *api.Allocation, seen map[any]uint64) error {
	if a.Job == nil {
		return fmt.Errorf("has no job")
	}
	w.ID(a.ID)
	r := a.AllocatedResources
	w.Uint(bit(r != nil, syncResources) | bit(r != nil && len(r.Shared.Networks) > 0, syncNetworks) |
		bit(a.DesiredTransition != api.DesiredTransition{}, syncTransition) | bit(a.TaskStates != nil || a.Packed != "", syncTasks) |
		bit(a.DeploymentStatus != nil, syncDeployment) | bit(a.RescheduleTracker != nil, syncReschedule) |
		bit(a.NetworkStatus != nil, syncNetwork) | bit(linked(a), syncLinks))
	for _, s := range texts(a) {
		w.Ref(*s)
	}
	w.String(a.Name)
	w.Uint(a.CreateIndex)
	w.Uint(a.ModifyIndex)
	w.Uint(a.AllocModifyIndex)
	w.Int(a.CreateTime)
	w.Int(a.ModifyTime)
	if err := e.object(w, seen, a.Job, a.Job, func() any { return a.Job }); err != nil {
		return err
	}
	if r != nil {
		key := any(r)
		if r.Tasks != nil {
			key = tasksKey{reflect.ValueOf(r.Tasks).Pointer(), r.Shared.DiskMB}
		}
		base := *r
		base.Shared.Ports, base.Shared.Networks = nil, nil
		if err := e.object(w, seen, key, r, func() any { return &base }); err != nil {
			return err
		}
		w.Ports(r.Shared.Ports)
		if len(r.Shared.Networks) > 0 {
			if err := w.Object(r.Shared.Networks); err != nil {
				return err
			}
		}
	}
	return rare(w, a)
}

// rare writes what few allocations have.
func rare(w *wire.Writer, a *api.Allocation) error {
	if tasks := a.States(); tasks != nil {
		w.Tasks(tasks)
	}
	if linked(a) {
		w.ID(a.FollowupEvalID)
		w.ID(a.PreviousAllocation)
		w.ID(a.NextAllocation)
		w.ID(a.PreemptedByAllocation)
		w.Uint(uint64(len(a.PreemptedAllocations)))
		for _, id := range a.PreemptedAllocations {
			w.ID(id)
		}
	}
	var err error
	object := func(set bool, x any) {
		if set && err == nil {
			err = w.Object(x)
		}
	}
	object(a.DesiredTransition != api.DesiredTransition{}, &a.DesiredTransition)
	object(a.DeploymentStatus != nil, a.DeploymentStatus)
	object(a.RescheduleTracker != nil, a.RescheduleTracker)
	object(a.NetworkStatus != nil, a.NetworkStatus)
	return err
}
