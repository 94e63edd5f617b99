package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// Restore replaces the state of the whole cluster by that of a saved snapshot.
// It is read and checked to its end before anything changes, and the state as
// it was is kept as a snapshot of this server. One of another cluster is refused
// with api.ErrConflict, unless this cluster is new or foreign says that it is
// meant.
func (r *Raft) Restore(ctx context.Context, source io.Reader, foreign bool) (Metadata, error) {
	if !r.Leader() {
		return Metadata{}, kind("restore snapshot", raft.ErrNotLeader)
	}
	tmp, err := os.CreateTemp(r.cfg.Dir, "restore-*.tmp")
	if err != nil {
		return Metadata{}, fmt.Errorf("restore snapshot: %w", err)
	}
	defer func() {
		tmp.Close()
		os.Remove(tmp.Name())
	}()
	in, saved, err := readBackup(source, tmp)
	if err == nil && !foreign {
		err = sameCluster(saved, r.fsm.Store().View())
	}
	if err != nil {
		return Metadata{}, fmt.Errorf("restore snapshot: %w", err)
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return Metadata{}, fmt.Errorf("restore snapshot: %w", err)
	}
	if err := r.Compact(ctx); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return Metadata{}, fmt.Errorf("restore snapshot: keep the state as it was: %w", err)
	}
	meta := &raft.SnapshotMeta{Version: raft.SnapshotVersionMax, ID: in.ID, Index: in.Index, Term: in.Term, Size: in.Size}
	if err := r.raft.Restore(meta, tmp, enqueueTimeout(ctx)); err != nil {
		return Metadata{}, kind("restore snapshot", err)
	}
	return in.Metadata, nil
}

// sameCluster refuses a state that is of another cluster than the one that
// works here, for what runs in this one would be stopped.
func sameCluster(saved, here *state.View) error {
	from, _ := saved.ClusterMeta()
	to, ok := here.ClusterMeta()
	if !ok || from != nil && from.ClusterID == to.ClusterID || unused(here) {
		return nil
	}
	name := "unknown"
	if from != nil {
		name = from.ClusterID
	}
	return api.Errorf(api.ErrConflict, "the snapshot is of cluster %s and this is cluster %s, which has work of its own; nothing was changed. Restore it with -force if this cluster is to become the other one", name, to.ClusterID)
}

// unused says whether nobody has given the cluster anything to do yet.
func unused(v *state.View) bool {
	namespaces := 0
	for range v.Namespaces() {
		namespaces++
	}
	return v.JobCount() == 0 && v.AllocationCount() == 0 && namespaces <= 1
}
