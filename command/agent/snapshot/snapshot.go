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
	Size    int64 // of the state, in bytes
	Tables  []Table
}

// Table is a table of the state and how many rows it has.
type Table struct {
	Name string
	Rows int
}

// Inspect reads a saved snapshot to its end and checks it. An error of kind
// api.ErrInvalid says what is wrong with it.
func Inspect(r io.Reader) (*Summary, error) {
	in, err := consensus.ReadBackup(r, nil)
	if err != nil {
		return nil, err
	}
	s := &Summary{ID: in.ID, Format: in.Format, Index: in.Index, Term: in.Term, Time: in.Time, Cluster: in.Cluster, Size: in.Size}
	for _, t := range in.Tables {
		s.Tables = append(s.Tables, Table(t))
	}
	return s, nil
}
