package agent

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/consensus"
)

// OfflineServer is what a server that does not run has on its disk.
type OfflineServer struct {
	Dir      string // of the server
	ID       string
	Servers  []*api.RaftServer // of the cluster, as far as it knew
	Term     uint64
	VotedFor string `json:",omitempty"`

	FirstIndex, LastIndex, LastTerm uint64 // of the log; 0: it is empty
	Snapshots                       []OfflineSnapshot

	// Of everything in the snapshot and the log, committed or not.
	Index                    uint64
	Jobs, Nodes, Allocations int
	Cluster                  string
}

// OfflineSnapshot is one of its snapshots.
type OfflineSnapshot struct {
	ID          string
	Index, Term uint64
	Size        int64 // in bytes
}

// serverDir finds the server's directory under an agent's data_dir; a server's
// directory stands for itself.
func serverDir(path string) (dir, lockDir string, err error) {
	if _, err := os.Stat(filepath.Join(path, "server", "server-id")); err == nil {
		return filepath.Join(path, "server"), path, nil
	}
	if _, err := os.Stat(filepath.Join(path, "server-id")); err == nil {
		return path, filepath.Dir(filepath.Clean(path)), nil
	}
	return "", "", api.Errorf(api.ErrNotFound, "%s is not the data_dir of a server: there is no server/server-id in it", path)
}

// offline has work done on the data of a server that does not run.
func offline(path string, work func(dir, id string) error) error {
	dir, lockDir, err := serverDir(path)
	if err != nil {
		return err
	}
	l, err := takeLock(lockDir)
	if err != nil {
		return err
	}
	defer l.release()
	id, err := os.ReadFile(filepath.Join(dir, "server-id"))
	if err != nil {
		return err
	}
	return work(dir, strings.TrimSpace(string(id)))
}

// ReadServer reads the data of a server that does not run. path is the agent's
// data_dir. A running agent is an error of kind api.ErrConflict.
func ReadServer(path string) (*OfflineServer, error) {
	var out *OfflineServer
	err := offline(path, func(dir, id string) error {
		found, err := consensus.ReadOffline(dir, id)
		if err != nil {
			return err
		}
		out = &OfflineServer{
			Dir: dir, ID: id, Servers: found.Servers, Term: found.Term, VotedFor: found.VotedFor,
			FirstIndex: found.FirstIndex, LastIndex: found.LastIndex, LastTerm: found.LastTerm,
			Index: found.View.Index(), Jobs: found.View.JobCount(), Nodes: found.View.NodeCount(), Allocations: found.View.AllocationCount(),
		}
		if m, ok := found.View.ClusterMeta(); ok {
			out.Cluster = m.ClusterID
		}
		for _, x := range found.Snapshots {
			out.Snapshots = append(out.Snapshots, OfflineSnapshot(x))
		}
		return nil
	})
	return out, err
}

// RecoverServer makes a server that does not run the only one of its cluster,
// with all that it has, and gives the directory that keeps what was replaced.
func RecoverServer(path, address string) (kept string, err error) {
	err = offline(path, func(dir, id string) error {
		kept, err = consensus.RecoverOffline(dir, id, address)
		return err
	})
	return kept, err
}
