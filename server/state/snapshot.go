package state

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server/state/table"
)

// ErrSnapshot is the kind of error for a snapshot that cannot be used: cut
// short, damaged, or written by a newer version.
var ErrSnapshot = errors.New("snapshot cannot be used")

// section is one table in a snapshot. Its number of the format is its own, so
// that one table can change while the others stay.
type section struct {
	name    string
	version uint64
	since   int // protocol version from which on snapshots hold it; 0 is the first
	write   func(w *snapshotWriter, v *View) error
	read    func(r *snapshotReader, tx *Tx) error
}

// sections lists what a snapshot holds, in order: what others refer to first.
func sections() []section {
	return []section{
		rows(TableClusterMeta, func(t *tables) rowTable[ClusterMeta] { return t.meta }),
		rows(TableNamespaces, func(t *tables) rowTable[api.Namespace] { return t.namespaces }),
		rows(TableNodePools, func(t *tables) rowTable[api.NodePool] { return t.pools }),
		rows(TableSchedulerConfig, func(t *tables) rowTable[api.SchedulerConfiguration] { return t.config }),
		rows(TableAutopilotConfig, func(t *tables) rowTable[api.AutopilotConfiguration] { return t.autopilot }),
		rows(TableAuthorities, func(t *tables) rowTable[api.Authority] { return t.authorities }),
		rows(TableCertificates, func(t *tables) rowTable[api.IssuedCertificate] { return t.certificates }),
		rows(TableJoinTokens, func(t *tables) rowTable[api.JoinToken] { return t.joinTokens }),
		rows(TableRootKeys, func(t *tables) rowTable[api.RootKey] { return t.rootKeys }),
		rows(TableNodes, func(t *tables) rowTable[api.Node] { return t.nodes }),
		rows(TableJobs, func(t *tables) rowTable[api.Job] { return t.jobs }),
		rows(TableJobVersions, func(t *tables) rowTable[api.Job] { return t.versions }),
		rows(TableJobSubmissions, func(t *tables) rowTable[submission] { return t.submissions }),
		rows(TableJobSummaries, func(t *tables) rowTable[api.JobSummary] { return t.summaries }),
		rows(TableScalingEvents, func(t *tables) rowTable[api.JobScalingEvents] { return t.scaling }),
		rows(TablePeriodicLaunches, func(t *tables) rowTable[PeriodicLaunch] { return t.launches }),
		rows(TableEvaluations, func(t *tables) rowTable[api.Evaluation] { return t.evals }),
		rows(TableDeployments, func(t *tables) rowTable[api.Deployment] { return t.deployments }),
		rows(TableACLPolicies, func(t *tables) rowTable[api.ACLPolicy] { return t.acl.policies }),
		rows(TableACLRoles, func(t *tables) rowTable[api.ACLRole] { return t.acl.roles }),
		rows(TableACLTokens, func(t *tables) rowTable[api.ACLToken] { return t.acl.tokens }),
		rows(TableOneTimeTokens, func(t *tables) rowTable[api.OneTimeToken] { return t.acl.oneTime }),
		rows(TableACLBootstrap, func(t *tables) rowTable[ACLBootstrap] { return t.acl.bootstraps }),
		{name: sectionOldJobs, version: 1, write: writeOldJobs, read: readOldJobs},
		{name: TableAllocations, version: 1, write: writeAllocations, read: readAllocations},
	}
}

// firstTables are in every snapshot. A table that came later may be absent, from
// a snapshot of an older build: it is empty.
var firstTables = []string{
	TableClusterMeta, TableNamespaces, TableNodePools, TableSchedulerConfig, TableNodes, TableJobs, TableJobVersions, TableJobSubmissions,
	TableJobSummaries, TableScalingEvents, TablePeriodicLaunches, TableEvaluations, TableDeployments, sectionOldJobs, TableAllocations,
}

// rowTable is what a snapshot needs of a table with rows *T.
type rowTable[T any] interface {
	All(r table.Reader) iter.Seq[*T]
	Put(tx *table.Tx, v *T) (*T, bool)
	Index(r table.Reader) uint64
	SetIndex(tx *table.Tx, index uint64)
}

// rows is a section that holds the rows of a table as CBOR.
func rows[T any](name string, of func(*tables) rowTable[T]) section {
	return section{name: name, version: 1,
		write: func(w *snapshotWriter, v *View) error {
			t := of(tablesOf(v.t))
			for x := range t.All(v.r) {
				if err := w.object(x); err != nil {
					return err
				}
			}
			return w.end(t.Index(v.r))
		},
		read: func(r *snapshotReader, tx *Tx) error {
			t := of(tablesOf(tx.t))
			for r.next() {
				x := new(T)
				if r.Object(x); r.Err() != nil {
					break
				}
				t.Put(tx.tx, x)
			}
			index, err := r.end()
			t.SetIndex(tx.tx, index)
			return err
		},
	}
}

// WriteSnapshot writes the whole state of the view. Two views of the same
// state give the same bytes.
func (v *View) WriteSnapshot(w io.Writer) error {
	sw := newSnapshotWriter(w)
	sw.header(v.Index())
	// What came with a later protocol version is still empty, and servers of an
	// older build would refuse its name.
	list := slices.DeleteFunc(sections(), func(s section) bool { return s.since > v.Protocol() })
	for i := range list {
		sw.begin(list[i].name, list[i].version)
		if err := list[i].write(sw, v); err != nil {
			return fmt.Errorf("write snapshot: table %s: %w", list[i].name, err)
		}
	}
	if err := sw.footer(len(list)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// ReadSnapshot reads a snapshot into a store of its own. An error of kind
// ErrSnapshot says what is wrong with it and what to do.
func ReadSnapshot(r io.Reader) (*Store, error) {
	s, _, err := MeasureSnapshot(r)
	return s, err
}

// MeasureSnapshot reads a snapshot like ReadSnapshot, and tells how large its
// tables are, in the order of the snapshot.
func MeasureSnapshot(r io.Reader) (*Store, []TableSize, error) {
	sr := newSnapshotReader(r)
	s, sizes, err := readSnapshot(sr)
	if err != nil {
		return nil, nil, err
	}
	return s, sizes, nil
}

func readSnapshot(sr *snapshotReader) (store *Store, tables []TableSize, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case table.Duplicate:
			store, tables, err = nil, nil, fmt.Errorf("%w: two rows have one key: %w; use another snapshot", ErrSnapshot, p)
		default:
			panic(p)
		}
	}()
	s := newEmpty()
	index := sr.header()
	if sr.Err() != nil {
		return nil, nil, sr.Err()
	}
	var sizes []TableSize
	tx := s.Begin(index)
	defer tx.Abort()
	known := map[string]section{}
	for _, x := range sections() {
		known[x.name] = x
	}
	for {
		name, version, more := sr.begin()
		if !more {
			break
		}
		x, ok := known[name]
		if !ok || version > x.version {
			return nil, nil, fmt.Errorf("%w: it holds table %q in version %d, which this version of the program does not know; use a version at least as new as the one that wrote it", ErrSnapshot, name, version)
		}
		delete(known, name)
		before := sr.read
		if err := x.read(sr, tx); err != nil {
			return nil, nil, fmt.Errorf("table %s: %w", name, err)
		}
		sizes = append(sizes, TableSize{Name: name, Rows: int(sr.rows), Bytes: int64(sr.read - before)})
	}
	if err := sr.footer(); err != nil {
		return nil, nil, err
	}
	for _, name := range firstTables {
		if _, missing := known[name]; missing {
			return nil, nil, fmt.Errorf("%w: table %q is missing; use another snapshot", ErrSnapshot, name)
		}
	}
	if newest := version.ProtocolMax(); tx.Protocol() > newest {
		return nil, nil, fmt.Errorf("%w: it is of a cluster at protocol version %d, and this build knows up to %d; use a build at least as new as the one that wrote it", ErrSnapshot, tx.Protocol(), newest)
	} else if oldest := version.ProtocolMin(); tx.Protocol() < oldest {
		return nil, nil, fmt.Errorf("%w: it is of a cluster at protocol version %d, and this build knows none before %d; upgrade by way of an older build", ErrSnapshot, tx.Protocol(), oldest)
	}
	tx.rederive()
	tx.tx.Commit()
	return s, sizes, nil
}

// Restore replaces the whole state by that of a snapshot, once it has been
// read and checked to its end. Readers keep their views; watches wake, and
// subscriptions end with ErrGap.
func (s *Store) Restore(r io.Reader) error {
	fresh, err := ReadSnapshot(r)
	if err != nil {
		return err
	}
	s.store.Swap(fresh.store)
	return nil
}

// rederive fills the tables that no snapshot holds.
func (tx *Tx) rederive() {
	for a := range tx.Allocations() {
		tx.followUsage(nil, a)
		c := tx.countsOf(jobID{Namespace: a.Namespace, ID: a.JobID})
		c.allocs++
		if !a.Terminal() {
			c.live++
		}
	}
	for e := range tx.Evaluations() {
		if e.JobID == "" {
			continue
		}
		c := tx.countsOf(jobID{Namespace: e.Namespace, ID: e.JobID})
		c.evals++
		if !e.Terminal() {
			c.openEvals++
		}
	}
	for _, id := range sortedKeys(tx.counts, compareJobID) {
		tablesOf(tx.t).counts.Put(tx.tx, tx.counts[id])
	}
	for _, id := range sortedKeys(tx.usage, compareString) {
		tablesOf(tx.t).usage.Put(tx.tx, tx.usage[id])
	}
}

// Hash returns a number that is the same for two states exactly when a
// snapshot of them is, up to the index of the last log entry: replicas that
// applied the same log agree on it.
func (v *View) Hash() (uint64, error) {
	h := fnv.New64a()
	sw := newSnapshotWriter(h)
	for _, x := range sections() {
		sw.begin(x.name, x.version)
		if err := x.write(sw, v); err != nil {
			return 0, fmt.Errorf("hash state: table %s: %w", x.name, err)
		}
	}
	if err := sw.flush(); err != nil {
		return 0, err
	}
	return h.Sum64(), nil
}

// TableHash is a table and a number that is the same for two states exactly when
// the table is.
type TableHash struct {
	Name string
	Hash uint64
}

// TableHashes is Hash for each table that a snapshot holds, in its order.
func (v *View) TableHashes() ([]TableHash, error) {
	var out []TableHash
	for _, x := range sections() {
		h := fnv.New64a()
		sw := newSnapshotWriter(h)
		sw.begin(x.name, x.version)
		if err := x.write(sw, v); err != nil {
			return nil, fmt.Errorf("hash state: table %s: %w", x.name, err)
		}
		if err := sw.flush(); err != nil {
			return nil, err
		}
		out = append(out, TableHash{x.name, h.Sum64()})
	}
	return out, nil
}

// TableSize is a table of a snapshot, how many rows it has, and how many bytes
// they take in it.
type TableSize struct {
	Name  string
	Rows  int
	Bytes int64
}
