package snapshot

import (
	"io"
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/server/consensus"
)

// State is the state of a cluster as a saved snapshot has it, for reading.
type State interface {
	scheduler.State
	Jobs() iter.Seq[*api.Job]
	Nodes() iter.Seq[*api.Node]
	Allocations() iter.Seq[*api.Allocation]
	Evaluations() iter.Seq[*api.Evaluation]
}

// Load reads a saved snapshot to its end, checks it and gives the state in it.
// An error of kind api.ErrInvalid says what is wrong with it.
func Load(r io.Reader) (State, error) {
	v, err := consensus.LoadBackup(r)
	if err != nil {
		return nil, err
	}
	return v, nil
}
