package command

import (
	"context"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
)

// jobToEnd watches the evaluation's job and its allocations until nothing of it
// is left to run, also what takes the place of allocations that failed.
func (f *follower) jobToEnd(ctx context.Context) error {
	in := api.QueryOptions{Namespace: f.eval.Namespace}
	if len(f.eval.FailedTGAllocs) > 0 {
		f.say("   ", "Not everything can be placed now: waiting for room. See \"serai job why %s\"", f.eval.JobID)
	}
	watching, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	jobs := watch(watching, &wg, f.s, api.JobRead, api.JobReadRequest{QueryOptions: in, ID: f.eval.JobID}, 0)
	lists := watch(watching, &wg, f.s, api.JobAllocations, api.JobAllocationsRequest{QueryOptions: in, ID: f.eval.JobID}, 0)
	ticker := time.NewTicker(redrawInterval)
	defer ticker.Stop()
	for status := ""; status != api.JobStatusDead; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-jobs:
			if u.err != nil {
				return u.err
			}
			status = u.value.Status
		case u := <-lists:
			if u.err != nil {
				return u.err
			}
			f.show(u.value)
		case <-ticker.C:
			f.draw(false)
		}
	}
	list, err := call(ctx, f.s, api.JobAllocations, api.JobAllocationsRequest{QueryOptions: in, ID: f.eval.JobID})
	if err != nil {
		return err
	}
	f.show(list)
	f.eval.FailedTGAllocs = nil // what could not be placed at first was placed later, or the job was stopped
	return nil
}

// show shows what is new of allocations.
func (f *follower) show(list []*api.AllocationListStub) {
	sortByName(list)
	f.list = list
	f.changes()
	f.draw(false)
}
