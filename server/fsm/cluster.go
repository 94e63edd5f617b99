package fsm

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// NamespaceUpsert writes namespaces. No result.
type NamespaceUpsert struct {
	Namespaces []*api.Namespace
}

func (c *NamespaceUpsert) apply(tx *state.Tx) (any, error) {
	for _, n := range c.Namespaces {
		if n == nil || n.Name == "" {
			return nil, api.Errorf(api.ErrInvalid, "namespace: no name given")
		}
		tx.PutNamespace(n)
	}
	return nil, nil
}

// NamespaceDelete removes namespaces without jobs that are not over, and purges
// those that are. No result.
type NamespaceDelete struct {
	Names []string
}

func (c *NamespaceDelete) apply(tx *state.Tx) (any, error) {
	for _, name := range c.Names {
		if name == api.DefaultNamespace {
			return nil, api.Errorf(api.ErrInvalid, "default namespace can not be deleted")
		}
		if _, ok := tx.Namespace(name); !ok {
			return nil, api.Errorf(api.ErrNotFound, "namespace %q not found", name)
		}
		var dead []string
		for j := range tx.JobsIn(name) {
			if j.Status != api.JobStatusDead {
				return nil, api.Errorf(api.ErrConflict, "namespace %q has non-terminal jobs, for example %q; stop them before deleting the namespace", name, j.ID)
			}
			dead = append(dead, j.ID)
		}
		if id, live := liveAllocationIn(tx, name); live {
			return nil, api.Errorf(api.ErrConflict, "namespace %q has allocations that still run, for example %s; wait for them before deleting the namespace", name, id)
		}
		for _, id := range dead { // nobody could reach them any more
			tx.DeleteJob(name, id)
		}
		tx.DeleteNamespace(name)
	}
	return nil, nil
}

// liveAllocationIn finds an allocation of a namespace that is not over, also
// one of a job that was purged.
func liveAllocationIn(tx *state.Tx, namespace string) (string, bool) {
	for a := range tx.AllocationsIn(namespace) {
		if !a.ClientTerminal() && !a.Terminal() {
			return a.ID, true
		}
	}
	return "", false
}

// SchedulerConfigSet writes the scheduler's configuration; with CAS only when
// the stored one was last changed at Index. The result says whether it was
// written, a bool.
type SchedulerConfigSet struct {
	Config *api.SchedulerConfiguration
	CAS    bool
	Index  uint64
}

func (c *SchedulerConfigSet) apply(tx *state.Tx) (any, error) {
	if c.Config == nil {
		return nil, api.Errorf(api.ErrInvalid, "scheduler configuration: none given")
	}
	if c.CAS && tx.SchedulerConfig().ModifyIndex != c.Index {
		return false, nil
	}
	tx.PutSchedulerConfig(c.Config)
	return true, nil
}

// AutopilotConfigSet writes autopilot's configuration; with CAS only when the
// stored one was last changed at Index. The result says whether it was written,
// a bool.
type AutopilotConfigSet struct {
	Config *api.AutopilotConfiguration
	CAS    bool
	Index  uint64
}

func (c *AutopilotConfigSet) apply(tx *state.Tx) (any, error) {
	if c.Config == nil {
		return nil, api.Errorf(api.ErrInvalid, "autopilot configuration: none given")
	}
	if c.CAS && tx.AutopilotConfig().ModifyIndex != c.Index {
		return false, nil
	}
	tx.PutAutopilotConfig(c.Config)
	return true, nil
}

// ClusterMeta gives the cluster its identity, once: a later one is ignored.
// The result is the *state.ClusterMeta that holds.
type ClusterMeta struct {
	ClusterID string
	Time      int64 // Unix nanoseconds
}

func (c *ClusterMeta) apply(tx *state.Tx) (any, error) {
	if m, ok := tx.ClusterMeta(); ok {
		return m, nil
	}
	m := &state.ClusterMeta{ClusterID: c.ClusterID, CreateTime: c.Time}
	tx.PutClusterMeta(m)
	return m, nil
}
