package command

import (
	"context"
	"fmt"
	"io"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func schedulerGetConfig() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "get-config", Synopsis: "Show the scheduler configuration", Usage: "[options]",
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.SchedulerConfigRead, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, resp)
			}
			c := resp.SchedulerConfig
			if c == nil {
				return fmt.Errorf("the servers have no scheduler configuration yet; try again in a moment")
			}
			var p cli.Pairs
			p.Add("Scheduler Algorithm", c.SchedulerAlgorithm)
			p.Add("Memory Oversubscription", fmt.Sprint(c.MemoryOversubscriptionEnabled))
			p.Add("Reject Job Registration", fmt.Sprint(c.RejectJobRegistration))
			p.Add("Pause Eval Broker", fmt.Sprint(c.PauseEvalBroker))
			p.Add("Preemption System Scheduler", fmt.Sprint(c.PreemptionConfig.SystemSchedulerEnabled))
			p.Add("Preemption Service Scheduler", fmt.Sprint(c.PreemptionConfig.ServiceSchedulerEnabled))
			p.Add("Preemption Batch Scheduler", fmt.Sprint(c.PreemptionConfig.BatchSchedulerEnabled))
			p.Add("Preemption SysBatch Scheduler", fmt.Sprint(c.PreemptionConfig.SysBatchSchedulerEnabled))
			p.Add("Node Limit For Feasibility Checks", fmt.Sprint(c.NodeLimitForFeasibilityChecks))
			p.Add("Modify Index", fmt.Sprint(c.ModifyIndex))
			p.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

// schedulerChange is what `operator scheduler set-config` was told to change.
type schedulerChange struct {
	checkIndex                       *uint64
	algorithm                        string
	oversubscription, reject, pause  *bool
	system, service, batch, sysBatch *bool
	nodeLimit                        int
}

func (c *schedulerChange) define(f *cli.Flags) {
	c.nodeLimit = -1
	f.Index(&c.checkIndex, "check-index", "<index>", "Change only if the modify index is still this one.")
	f.String(&c.algorithm, "scheduler-algorithm", "<name>", "binpack or spread.")
	f.OptionalBool(&c.oversubscription, "memory-oversubscription", "Let tasks use more memory than they reserve.")
	f.OptionalBool(&c.reject, "reject-job-registration", "Refuse new jobs.")
	f.OptionalBool(&c.pause, "pause-eval-broker", "Stop handing evaluations to the scheduler.")
	f.OptionalBool(&c.batch, "preempt-batch-scheduler", "Let batch jobs displace others.")
	f.OptionalBool(&c.service, "preempt-service-scheduler", "Let service jobs displace others.")
	f.OptionalBool(&c.sysBatch, "preempt-sysbatch-scheduler", "Let sysbatch jobs displace others.")
	f.OptionalBool(&c.system, "preempt-system-scheduler", "Let system jobs displace others.")
	f.Int(&c.nodeLimit, "node-limit-for-feasibility-checks", "<n>", "Stored for Nomad's sake: serai looks at every node.")
}

func (c *schedulerChange) apply(config *api.SchedulerConfiguration) {
	if c.algorithm != "" {
		config.SchedulerAlgorithm = c.algorithm
	}
	for from, to := range map[**bool]*bool{
		&c.oversubscription: &config.MemoryOversubscriptionEnabled, &c.reject: &config.RejectJobRegistration, &c.pause: &config.PauseEvalBroker,
		&c.system: &config.PreemptionConfig.SystemSchedulerEnabled, &c.service: &config.PreemptionConfig.ServiceSchedulerEnabled,
		&c.batch: &config.PreemptionConfig.BatchSchedulerEnabled, &c.sysBatch: &config.PreemptionConfig.SysBatchSchedulerEnabled,
	} {
		if *from != nil {
			*to = **from
		}
	}
	if c.nodeLimit >= 0 {
		config.NodeLimitForFeasibilityChecks = uint(c.nodeLimit)
	}
}

func schedulerSetConfig() *cli.Command {
	var change schedulerChange
	return &cli.Command{
		Name: "set-config", Synopsis: "Change the scheduler configuration", Usage: "[options]",
		Help:   `Changes what the flags name and leaves the rest as it is.`,
		Define: change.define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.SchedulerConfigRead, api.ListRequest{})
			if err != nil {
				return err
			}
			config := resp.SchedulerConfig
			if config == nil {
				config = api.DefaultSchedulerConfiguration()
			}
			change.apply(config)
			cas := change.checkIndex
			if cas == nil {
				cas = &config.ModifyIndex // somebody else's change in between is not lost
			}
			set, err := call(ctx, s, api.SchedulerConfigWrite, api.SchedulerConfigRequest{CAS: cas, Config: config})
			if err != nil {
				return err
			}
			if !set.Updated {
				return fmt.Errorf("the scheduler configuration was changed in between (its modify index is not %d); look at it and try again", *cas)
			}
			inv.Printf("Scheduler configuration updated!")
			return nil
		},
	}
}

func operatorMetrics() *cli.Command {
	var (
		format         cli.Format
		kind           string
		pretty, asJSON bool
	)
	return &cli.Command{
		Name: "metrics", Synopsis: "Show an agent's metrics", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.String(&kind, "format", "<format>", "\"prometheus\" for its text format; JSON when not given.")
			f.Bool(&pretty, "pretty", "Indent the JSON.")
			f.Bool(&asJSON, "json", "Show JSON; this is the default.")
			f.String(&format.Template, "t", "<template>", "Show the JSON through a Go template.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			body, _, err := api.Open(ctx, s.client, api.Metrics, &api.MetricsRequest{Format: kind})
			if err != nil {
				return err
			}
			defer body.Close()
			if kind != "" || !pretty && format.Template == "" {
				if _, err = io.Copy(inv.Stdout, body); err == nil && kind == "" {
					inv.Printf("") // what is JSON ends without a newline
				}
				return err
			}
			value, err := anyJSON(body)
			if err != nil {
				return err
			}
			if format.Template != "" {
				return format.Write(inv.Stdout, value)
			}
			return cli.WriteJSON(inv.Stdout, value)
		},
	}
}
