package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func raftVerify() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "verify", Synopsis: "Compare the states of all servers", Usage: "[options]",
		Help:   `Has every server hash its tables as of one place in the log, and compares. Exits with 1 when a server does not answer or has something else than the others: that would be a fault of the program; save a snapshot of each server (operator snapshot save -stale), empty the data directory of the one that differs, and let it join again.`,
		Define: func(f *cli.Flags) { format.Define(f) },
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			found, err := call(ctx, s, api.RaftVerify, api.ListRequest{})
			if err != nil {
				return fmt.Errorf("compare the states of the servers: %w", err)
			}
			if format.Wanted() {
				if err := format.Write(inv.Stdout, found); err != nil {
					return err
				}
			} else {
				showVerification(inv, &found)
			}
			return verdict(&found)
		},
	}
}

func showVerification(inv *cli.Invocation, found *api.StateVerification) {
	names := map[string]bool{}
	head := []string{"Table"}
	for _, x := range found.Servers {
		head = append(head, x.Name)
		for name := range x.Tables {
			names[name] = true
		}
	}
	inv.Printf("State at index %d\n", found.Index)
	t := cli.NewTable(head...)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		row := []string{name}
		for _, x := range found.Servers {
			hash, ok := x.Tables[name]
			if !ok {
				hash = "-"
			}
			row = append(row, hash)
		}
		t.Row(row...)
	}
	t.Write(inv.Stdout, inv.Style)
}

func verdict(found *api.StateVerification) error {
	var errs []error
	for _, x := range found.Servers {
		if x.Error != "" {
			errs = append(errs, fmt.Errorf("server %s (%s): %s", x.Name, x.Address, x.Error))
		}
	}
	if len(found.Differ) > 0 {
		errs = append(errs, fmt.Errorf("the servers do not have the same in %s; \"serai operator raft verify -h\" says what to do", strings.Join(found.Differ, ", ")))
	}
	return errors.Join(errs...)
}
