package command

import (
	"context"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// defaultDrain is how long a drain waits for allocations to leave by themselves.
const defaultDrain = time.Hour

// drain is what `node drain` was told.
type drain struct {
	enable, disable, monitor   bool
	force, noDeadline          bool
	deadline                   string // "" = the default
	ignoreSystem, ineligible   bool
	message                    string
	meta                       []string
	self, detach, yes, verbose bool
}

func (o *drain) define(f *cli.Flags) {
	f.Bool(&o.enable, "enable", "Start the drain, or change one that goes on.")
	f.Bool(&o.disable, "disable", "End the drain. The node is eligible again unless -keep-ineligible is given.")
	f.Bool(&o.monitor, "monitor", "Only follow a drain that goes on.")
	f.String(&o.deadline, "deadline", "<duration>", "How long allocations may take to leave; what is left is then stopped. Default 1h.")
	f.Bool(&o.force, "force", "Stop everything at once.")
	f.Bool(&o.noDeadline, "no-deadline", "Wait as long as it takes.")
	f.Bool(&o.ignoreSystem, "ignore-system", "Leave system jobs on the node.")
	f.Bool(&o.ineligible, "keep-ineligible", "With -disable: place nothing new on the node.")
	f.String(&o.message, "m", "<text>", "Why the node is drained; kept with its last drain.")
	f.Strings(&o.meta, "meta", "<key=value>", "More to keep with the last drain. May be given many times.")
	f.Bool(&o.self, "self", "The node of the agent that is asked.")
	f.Bool(&o.detach, "detach", "Return at once.")
	f.Bool(&o.yes, "yes", "Do not ask.")
	f.Bool(&o.verbose, "verbose", "Show IDs in full.")
}

func nodeDrain() *cli.Command {
	var o drain
	return &cli.Command{
		Name: "drain", Synopsis: "Move everything off a node, or end that", Usage: "-enable|-disable|-monitor [options] <node>", Max: 1,
		Help: `Drains a node: nothing new is placed on it, and its allocations move to others as the migrate blocks of their jobs say; batch jobs may finish until the deadline, and system jobs go last. The command follows what leaves; Ctrl-C ends the watching, not the drain.

  serai node drain -enable -deadline 30m -m "new kernel" 4d2ba53b
  serai node drain -disable 4d2ba53b

The beginning of an ID is enough when it fits one node; then the command asks first.`,
		Define:   o.define,
		Complete: completer(api.ContextNodes),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			request, err := o.request()
			if err != nil {
				return err
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			n, err := s.nodeArgument(ctx, inv.Args, o.self)
			if err != nil {
				return err
			}
			if o.monitor {
				return s.followDrain(ctx, n, o.verbose)
			}
			return o.run(ctx, s, n, request)
		},
	}
}

// request makes the request from the flags and tells what contradicts itself.
func (o *drain) request() (api.NodeDrainRequest, error) {
	var req api.NodeDrainRequest
	if count := o.chosen(o.enable, o.disable, o.monitor); count != 1 {
		return req, cli.Usagef("give one of -enable, -disable and -monitor")
	}
	if o.chosen(o.force, o.noDeadline, o.deadline != "") > 1 {
		return req, cli.Usagef("-deadline, -force and -no-deadline exclude each other")
	}
	if !o.enable && (o.force || o.noDeadline || o.deadline != "" || o.ignoreSystem) {
		return req, cli.Usagef("-deadline, -force, -no-deadline and -ignore-system go with -enable")
	}
	if o.ineligible && !o.disable {
		return req, cli.Usagef("-keep-ineligible goes with -disable; a node that is drained is ineligible anyway")
	}
	if o.monitor && (o.detach || o.message != "" || len(o.meta) > 0) {
		return req, cli.Usagef("-monitor only looks: -detach, -m and -meta do not go with it")
	}
	meta, err := keyValues("-meta", o.meta)
	if err != nil {
		return req, err
	}
	if o.message != "" {
		meta["message"] = o.message
	}
	req.Meta, req.MarkEligible = meta, o.disable && !o.ineligible
	if o.enable {
		req.DrainSpec = &api.DrainSpec{IgnoreSystemJobs: o.ignoreSystem}
		req.DrainSpec.Deadline, err = o.wait()
	}
	return req, err
}

func (o *drain) chosen(flags ...bool) int {
	n := 0
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

// wait gives the deadline as the API has it: -1 ns is at once, 0 is none.
func (o *drain) wait() (api.Duration, error) {
	switch {
	case o.force:
		return -1, nil
	case o.noDeadline:
		return 0, nil
	case o.deadline == "":
		return api.Duration(defaultDrain), nil
	}
	d, err := time.ParseDuration(o.deadline)
	if err != nil || d <= 0 {
		return 0, cli.Usagef("-deadline %q: write it like 30m or 2h; for none give -no-deadline, for now -force", o.deadline)
	}
	return api.Duration(d), nil
}

func (o *drain) run(ctx context.Context, s *session, n *api.Node, req api.NodeDrainRequest) error {
	if !o.self && !o.yes && !named(n, s.Args[0]) {
		verb := "Drain"
		if o.disable {
			verb = "End the drain of"
		}
		if sure, err := confirm(s.Invocation, "%s node %q (%s)?", verb, n.Name, id(n.ID, o.verbose)); err != nil || !sure {
			return err
		}
	}
	req.ID, req.NodeID = n.ID, n.ID
	if _, err := call(ctx, s, api.NodeDrain, req); err != nil {
		return err
	}
	if o.disable {
		eligibility := api.NodeEligible
		if o.ineligible {
			eligibility = api.NodeIneligible
		}
		s.Printf("Node %q drain strategy unset; the node is %s", n.ID, eligibility)
		return nil
	}
	s.Printf("Node %q drain strategy set", n.ID)
	if o.detach {
		return nil
	}
	return s.followDrain(ctx, n, o.verbose)
}

// named says whether a text is all of a node's ID or name.
func named(n *api.Node, text string) bool {
	return strings.EqualFold(n.ID, text) || n.Name == text
}
