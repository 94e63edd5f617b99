// Package tasktable is the map of a driver's tasks by ID, for several goroutines. It owns no goroutine.
package tasktable

import (
	"maps"
	"slices"
	"sync"

	"github.com/seraihq/serai/drivers"
)

// Table holds a driver's tasks. The zero Table is empty and ready.
type Table[T any] struct {
	mu    sync.RWMutex
	tasks map[string]T
}

// Add puts a task in and returns true, or false when there is one with this ID.
func (t *Table[T]) Add(id string, task T) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.tasks[id]; there {
		return false
	}
	if t.tasks == nil {
		t.tasks = map[string]T{}
	}
	t.tasks[id] = task
	return true
}

// Get returns the task, or drivers.ErrTaskNotFound naming it.
func (t *Table[T]) Get(id string) (T, error) {
	task, ok := t.Lookup(id)
	if !ok {
		return task, drivers.TaskNotFound(id)
	}
	return task, nil
}

// Lookup returns the task if it is there.
func (t *Table[T]) Lookup(id string) (T, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	task, ok := t.tasks[id]
	return task, ok
}

// Delete forgets the task.
func (t *Table[T]) Delete(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tasks, id)
}

// Count returns how many tasks there are, and how many of them are so.
func (t *Table[T]) Count(so func(T) bool) (some, all int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, task := range t.tasks {
		if so(task) {
			some++
		}
	}
	return some, len(t.tasks)
}

// All returns the tasks, in no order.
func (t *Table[T]) All() []T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.tasks))
}
