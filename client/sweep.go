package client

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/client/store"
	"github.com/seraihq/serai/drivers/plugin"
	"github.com/seraihq/serai/internal/cgroup"
)

// sweepPatience is how long a driver host may take to be found.
const sweepPatience = 5 * time.Second

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
	all := errors.Join(sweepNetworks(stateDir, logger), endHosts(stateDir, logger))
	if len(ids) > 0 {
		removeGroups(ids)
	}
	for _, id := range ids {
		all = errors.Join(all, steps.RemoveAll(filepath.Join(allocDir, id)))
	}
	return all
}

// endHosts ends the processes of drivers that an agent has left.
func endHosts(stateDir string, logger *slog.Logger) error {
	if _, err := os.Lstat(stateDir); err != nil {
		return nil
	}
	s, err := store.Open(stateDir, logger)
	if err != nil {
		return err
	}
	names, err := s.Drivers()
	for _, name := range names {
		data, _ := s.LoadDriver(name)
		ctx, cancel := context.WithTimeout(context.Background(), sweepPatience)
		// One that is not found has ended already.
		if host, gone := plugin.Reattach(ctx, data); gone == nil {
			err = errors.Join(err, host.Kill())
		}
		cancel()
	}
	return errors.Join(err, s.Close())
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
