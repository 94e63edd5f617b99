// Package snapshot reads saved snapshots of the servers' state for the command
// line, which does not import the server itself. It needs no running agent.
package snapshot

import (
	"io"
	"time"

	"github.com/seraihq/serai/server/consensus"
)

// Summary is what a saved snapshot holds.
type Summary struct {
	ID      string
	Format  int
	Index   uint64
	Term    uint64
	Time    time.Time
	Cluster string
	Size    int64 // of the state, in bytes, unpacked
	Tables  []Table

	Protocol int    // version of the cluster
	Build    string // version of the program that saved it; empty when unknown
}

// Table is a table of the state, how many rows it has, and how many bytes they
// take of Size.
type Table struct {
	Name  string
	Rows  int
	Bytes int64
}

// Inspect reads a saved snapshot to its end and checks it. An error of kind
// api.ErrInvalid says what is wrong with it.
func Inspect(r io.Reader) (*Summary, error) {
	in, err := consensus.ReadBackup(r, nil)
	if err != nil {
		return nil, err
	}
	s := &Summary{ID: in.ID, Format: in.Format, Index: in.Index, Term: in.Term, Time: in.Time, Cluster: in.Cluster, Size: in.Size, Protocol: max(1, in.Protocol), Build: in.Build}
	for _, t := range in.Tables {
		s.Tables = append(s.Tables, Table(t))
	}
	return s, nil
}
