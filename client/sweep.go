package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/client/store"
	"github.com/seraihq/serai/client/task"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin"
	"github.com/seraihq/serai/internal/cgroup"
)

// sweepPatience is how long a driver host may take to be found, destroyPatience how long all tasks may take to go.
const (
	sweepPatience   = 5 * time.Second
	destroyPatience = 30 * time.Second
)

// Sweep ends and removes what an agent that is no more, with these directories,
// has left: tasks with their control groups and mounts, and the processes of its
// drivers.
func Sweep(stateDir, allocDir string, logger *slog.Logger) error {
	entries, err := os.ReadDir(allocDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var ids []string
	for _, e := range entries {
		if _, err := uuid.Parse(e.Name()); err == nil {
			ids = append(ids, e.Name())
		}
	}
	if len(ids) > 0 {
		killAll(ids, logger)
	}
	all := sweepState(stateDir, logger)
	if len(ids) > 0 {
		removeGroups(ids)
	}
	for _, id := range ids {
		all = errors.Join(all, steps.RemoveAll(filepath.Join(allocDir, id)))
	}
	return all
}

// sweepState ends what the agent's state tells of: tasks that are no processes of this machine's (an engine's containers), networks, and the processes
// of drivers, which are asked for the first two as long as they are there.
func sweepState(dir string, logger *slog.Logger) error {
	if _, err := os.Lstat(dir); err != nil {
		return nil
	}
	s, err := store.Open(dir, logger)
	if err != nil {
		return err
	}
	left, err := findHosts(s)
	err = errors.Join(err, left.destroyTasks(s), sweepNetworks(dir, s, left, logger))
	for _, host := range left {
		err = errors.Join(err, host.Kill())
	}
	return errors.Join(err, s.Close())
}

// hosts are drivers' processes that an agent has left, by the drivers' names.
type hosts map[string]*plugin.Client

// findHosts finds those that live.
func findHosts(s *store.Store) (hosts, error) {
	names, err := s.Drivers()
	out := hosts{}
	for _, name := range names {
		data, _ := s.LoadDriver(name)
		ctx, cancel := context.WithTimeout(context.Background(), sweepPatience)
		// One that is not found has ended already.
		if host, gone := plugin.Reattach(ctx, data); gone == nil {
			out[name] = host
		}
		cancel()
	}
	return out, err
}

// find gives a driver for the networks that it has made.
func (h hosts) find(_ context.Context, name string) (drivers.Driver, error) {
	if host, ok := h[name]; ok {
		return host, nil
	}
	return nil, fmt.Errorf("driver %q: its process has ended: %w", name, drivers.ErrUnknownDriver)
}

// destroyTasks has drivers remove what they hold for tasks. What a driver that is gone has left, its next process finds.
func (h hosts) destroyTasks(s *store.Store) error {
	saved, err := s.Allocs()
	ctx, cancel := context.WithTimeout(context.Background(), destroyPatience)
	defer cancel()
	for _, one := range saved {
		if one.Alloc == nil || one.Alloc.Job == nil {
			continue
		}
		group := one.Alloc.Job.LookupTaskGroup(one.Alloc.TaskGroup)
		if group == nil {
			continue
		}
		for _, t := range group.Tasks {
			var r task.Record
			if raw, ok := one.Tasks[t.Name]; !ok || json.Unmarshal(raw, &r) != nil || r.ID == "" {
				continue
			}
			if host, ok := h[t.Driver]; ok {
				err = errors.Join(err, host.Destroy(ctx, r.ID, true))
			}
		}
	}
	return err
}

// removeGroups removes the control groups of allocations of which nothing runs.
func removeGroups(gone []string) {
	l, err := cgroup.Find()
	if err != nil {
		return
	}
	l.RemoveEmpty(func(group string) bool {
		return slices.ContainsFunc(gone, func(id string) bool { return strings.HasPrefix(group, id+"_") })
	})
}
