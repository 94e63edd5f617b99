package command

import (
	"context"
	"fmt"
	"strconv"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobScale() *cli.Command {
	var (
		checkIndex      *uint64
		detach, verbose bool
	)
	return &cli.Command{
		Name: "scale", Synopsis: "Change the count of a group", Usage: "[options] <job> [<group>] <count>", Min: 2, Max: 3,
		Help: `Changes how many allocations of a group run. The group may be left out when the job has only one.`,
		Define: func(f *cli.Flags) {
			f.Index(&checkIndex, "check-index", "<index>", "Scale only if the job's modify index is still this one.")
			f.Bool(&detach, "detach", "Return at once with the ID of the evaluation.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			text := inv.Args[len(inv.Args)-1]
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 {
				return cli.Usagef("the count must be a whole number of 0 or more, not %q", text)
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			group, err := s.groupOf(ctx, stub, inv.Args[1:len(inv.Args)-1])
			if err != nil {
				return err
			}
			req := api.JobScaleRequest{WriteOptions: within(stub.Namespace), ID: stub.ID, Count: &n, Target: map[string]string{"Group": group}, Message: "submitted using the serai CLI"}
			if checkIndex != nil {
				req.JobModifyIndex = *checkIndex
			}
			resp, err := call(ctx, s, api.JobScale, req)
			if err != nil {
				return err
			}
			showWarnings(inv.Stderr, inv.Style, resp.Warnings)
			if detach {
				inv.Printf("Evaluation ID: %s", resp.EvalID)
				return nil
			}
			return s.followOrPrint(ctx, resp.EvalID, false, verbose, toDeployment)
		},
	}
}

// groupOf gives the group that was named, or the job's only one.
func (s *session) groupOf(ctx context.Context, stub *api.JobListStub, named []string) (string, error) {
	if len(named) > 0 {
		return named[0], nil
	}
	job, err := call(ctx, s, api.JobRead, on(stub))
	if err != nil {
		return "", err
	}
	if len(job.TaskGroups) != 1 {
		return "", cli.Usagef("job %q has %d groups; name one", job.ID, len(job.TaskGroups))
	}
	return job.TaskGroups[0].Name, nil
}

func jobScalingEvents() *cli.Command {
	var (
		format  cli.Format
		verbose bool
	)
	return &cli.Command{
		Name: "scaling-events", Synopsis: "Show how the counts of a job were changed", Usage: "[options] <job>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&verbose, "verbose", "Show IDs and times in full, and what autoscalers noted.")
			format.Define(f)
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			status, err := call(ctx, s, api.JobScaleStatusOf, on(stub))
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, status)
			}
			t := cli.NewTable("Task Group", "Count", "PrevCount", "Error", "Message", "Eval ID", "Date")
			for _, group := range sorted(status.TaskGroups) {
				for _, e := range status.TaskGroups[group].Events {
					t.Row(group, optional(e.Count), fmt.Sprint(e.PreviousCount), fmt.Sprint(e.Error), e.Message, id(pointed(e.EvalID), verbose), when(nano(int64(e.Time)), verbose))
				}
			}
			if t.Len() == 0 {
				inv.Printf("No events found")
				return nil
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func optional(n *int64) string {
	if n == nil {
		return "<none>"
	}
	return strconv.FormatInt(*n, 10)
}

func pointed(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
