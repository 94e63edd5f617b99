package state

import (
	"cmp"
	"iter"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/server/state/table"
)

// Names of the tables, as they appear in changes and snapshots.
const (
	TableJobs             = "jobs"
	TableJobVersions      = "job_versions"
	TableJobSubmissions   = "job_submissions"
	TableJobSummaries     = "job_summaries"
	TableEvaluations      = "evaluations"
	TableAllocations      = "allocations"
	TableNodes            = "nodes"
	TableDeployments      = "deployments"
	TableNamespaces       = "namespaces"
	TableNodePools        = "node_pools"
	TableSchedulerConfig  = "scheduler_config"
	TableScalingEvents    = "scaling_events"
	TablePeriodicLaunches = "periodic_launches"
	TableClusterMeta      = "cluster_meta"
	TableAutopilotConfig  = "autopilot_config"
	TableACLPolicies      = "acl_policies"
	TableACLRoles         = "acl_roles"
	TableACLTokens        = "acl_tokens"
	TableOneTimeTokens    = "one_time_tokens"
	TableACLBootstrap     = "acl_bootstrap"
	TableAuthorities      = "authorities"
	TableCertificates     = "certificates"
	TableJoinTokens       = "join_tokens"
	TableRootKeys         = "root_keys"

	// Derived from the tables above, and therefore in no snapshot.
	TableNodeUsage = "node_usage"
	TableJobCounts = "job_counts"
)

type (
	jobID              = api.NamespacedID
	byID[V comparable] = table.Table[string, V]
)

// tables holds every table of a store. The groups follow the files.
type tables struct {
	jobTables
	evaluationTables
	allocationTables
	nodeTables
	clusterTables
	deploymentTables
	acl aclTables
	trustTables
	rootKeys *byID[*api.RootKey]
}

func newTables(s *table.Store) *tables {
	return &tables{
		jobTables:        newJobTables(s),
		evaluationTables: newEvaluationTables(s),
		allocationTables: newAllocationTables(s),
		nodeTables:       newNodeTables(s),
		clusterTables:    newClusterTables(s),
		deploymentTables: newDeploymentTables(s),
		acl:              newACLTables(s),
		trustTables:      newTrustTables(s),
		rootKeys:         newRootKeys(s),
	}
}

// Reader reads the state: that of a View, or inside of a transaction what the
// transaction has made of it so far. Sequences are in key order unless said
// otherwise; a transaction must not write while it ranges over one.
type Reader struct {
	r table.Reader
	t opaque
}

// opaque is a *tables whose type importers of this package do not see: the
// compiler makes every method of every generic type that it meets in a struct
// or an inlined body anew in each importing package, which took 10 s and a
// 39 MB object for each of them.
type opaque any

// tablesOf gives the tables. It is no method, because importers see the types of
// methods, and it is not inlined: the bodies of its callers stay too large to be
// inlined elsewhere.
//
//go:noinline
func tablesOf(t opaque) *tables { return t.(*tables) }

func compareJobID(a, b jobID) int {
	if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// versionKey names a version of a job.
type versionKey struct {
	jobID
	version uint64
}

func compareVersion(a, b versionKey) int {
	if c := compareJobID(a.jobID, b.jobID); c != 0 {
		return c
	}
	return cmp.Compare(a.version, b.version)
}

// prefixed returns the rows whose key starts with prefix.
func prefixed[V comparable](t *byID[V], r table.Reader, prefix string) iter.Seq[V] {
	return func(yield func(V) bool) {
		for v := range t.From(r, prefix) {
			if !strings.HasPrefix(t.Key(v), prefix) || !yield(v) {
				return
			}
		}
	}
}

// addByID makes a table whose rows are found by a string.
func addByID[V comparable](s *table.Store, name string, key func(V) string, modified func(V) uint64) *byID[V] {
	return table.Add(s, table.Config[string, V]{Name: name, Key: key, Compare: strings.Compare, Modified: modified})
}

// addByJob makes a table with one row per job.
func addByJob[V comparable](s *table.Store, name string, key func(V) jobID, modified func(V) uint64) *table.Table[jobID, V] {
	return table.Add(s, table.Config[jobID, V]{Name: name, Key: key, Compare: compareJobID, Modified: modified})
}

// NodeUsage is what the allocations of a node take of it.
type NodeUsage struct {
	NodeID string
	fit.Usage
}
