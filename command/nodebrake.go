package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func nodeBrakeStatus() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "status", Synopsis: "Show whether silent nodes are held", Usage: "[options]",
		Help:   `When many nodes fall silent at once, no more of them are given up: it is rather the network that failed. This shows whether that is so.`,
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			brake, err := call(ctx, s, api.NodeBrakeRead, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, brake)
			}
			showNodeBrake(inv, brake)
			return nil
		},
	}
}

func showNodeBrake(inv *cli.Invocation, b api.NodeBrake) {
	var p cli.Pairs
	state := "released"
	switch {
	case b.Holds:
		state = "holds"
	case b.Percent == 0:
		state = "off"
	}
	p.Add("Brake", state)
	p.Add("Limit", fmt.Sprintf("%d %% of the nodes", b.Percent))
	p.Add("Nodes Held", fmt.Sprint(b.Held))
	p.Add("Given Up", fmt.Sprint(b.GivenUp))
	if b.Since != nil {
		p.Add("Since", timestamp(*b.Since))
	}
	if b.ReleasedUntil != nil {
		p.Add("Released Until", timestamp(*b.ReleasedUntil))
	}
	p.Write(inv.Stdout, inv.Style)
	for i, id := range b.Nodes {
		if i == 0 {
			inv.Printf("\nHeld")
		}
		inv.Printf("%s", id)
	}
}

func nodeBrakeRelease() *cli.Command {
	return &cli.Command{
		Name: "release", Synopsis: "Let silent nodes be given up", Usage: "[options]",
		Help: `Has all nodes given up that are silent, and for a while those that turn out to be. What runs on them is started elsewhere.`,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			brake, err := call(ctx, s, api.NodeBrakeRelease, api.WriteRequest{})
			if err != nil {
				return err
			}
			inv.Printf("%d silent nodes are given up.", brake.Held)
			return nil
		},
	}
}
