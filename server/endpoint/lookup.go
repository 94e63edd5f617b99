package endpoint

import (
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// uuidLength is the length of the IDs of everything but jobs.
const uuidLength = 36

// wholeID refuses an ID that is not a whole UUID, such as a prefix. The text
// is what clients of Nomad's API expect.
func wholeID(kind, id string) error {
	if len(id) == uuidLength {
		return nil
	}
	return fmt.Errorf("%s lookup failed: index error: UUID must be 36 characters", kind)
}

func getJob(v *state.View, namespace, id string) (*api.Job, error) {
	if j, ok := v.Job(namespace, id); ok {
		return j, nil
	}
	return nil, api.Errorf(api.ErrNotFound, "job not found")
}

func getAllocation(v *state.View, id string) (*api.Allocation, error) {
	if err := wholeID("alloc", id); err != nil {
		return nil, err
	}
	if a, ok := v.Allocation(id); ok {
		return a, nil
	}
	return nil, api.Errorf(api.ErrNotFound, "alloc not found")
}

func getEvaluation(v *state.View, id string) (*api.Evaluation, error) {
	if err := wholeID("eval", id); err != nil {
		return nil, err
	}
	if x, ok := v.Evaluation(id); ok {
		return x, nil
	}
	return nil, api.Errorf(api.ErrNotFound, "eval not found")
}

func getNode(v *state.View, id string) (*api.Node, error) {
	if err := wholeID("node", id); err != nil {
		return nil, err
	}
	if n, ok := v.Node(id); ok {
		return n, nil
	}
	return nil, api.Errorf(api.ErrNotFound, "node not found")
}

func getDeployment(v *state.View, id string) (*api.Deployment, error) {
	if err := wholeID("deployment", id); err != nil {
		return nil, err
	}
	if d, ok := v.Deployment(id); ok {
		return d, nil
	}
	return nil, api.Errorf(api.ErrNotFound, "deployment not found")
}
