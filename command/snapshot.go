package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/snapshot"
	"github.com/seraihq/serai/command/cli"
)

func snapshotSave() *cli.Command {
	return &cli.Command{
		Name: "save", Synopsis: "Save the servers' state to a file", Usage: "[options] [<path>]", Max: 1,
		Help: `Saves all that the servers know to a file, which "operator snapshot restore" reads. Without a path the file's name says when it was made.`,
		Define: func(f *cli.Flags) {
			f.Ignore("stale", "")
			f.Ignore("redact", "")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if inv.Flags.Given("redact") {
				return errors.New("-redact is not built yet")
			}
			path := "serai-" + time.Now().UTC().Format("20060102-150405") + ".snap"
			if len(inv.Args) == 1 {
				path = inv.Args[0]
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			n, err := saveFile(path, func(w io.Writer) error { return fetchSnapshot(ctx, s, w) })
			if err != nil {
				return fmt.Errorf("save the snapshot: %w", err)
			}
			inv.Printf("State file written to %s (%s)", path, size(uint64(n)))
			return nil
		},
	}
}

// saveFile writes a file that appears only when it is whole.
func saveFile(path string, write func(io.Writer) error) (int64, error) {
	part := path + ".unverified"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	err = errors.Join(write(f), f.Sync())
	n, _ := f.Seek(0, io.SeekCurrent)
	if err == nil && n == 0 {
		err = errors.New("the agent sent nothing")
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		os.Remove(part)
		return n, err
	}
	return n, os.Rename(part, path)
}

func snapshotRestore() *cli.Command {
	var force bool
	return &cli.Command{
		Name: "restore", Synopsis: "Replace the servers' state by a saved one", Usage: "[options] <path>", Min: 1, Max: 1,
		Help: `Replaces all that the servers know by what a file holds that "operator snapshot save" made. What runs and is not in it will be stopped. A file that is damaged, of a newer build or of another cluster is refused and changes nothing. A cluster that was never used takes that of any other.`,
		Define: func(f *cli.Flags) {
			f.Bool(&force, "force", "Restore also a snapshot of another cluster: this one becomes that one.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			f, err := os.Open(inv.Args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			s, err := open(inv)
			if err != nil {
				return err
			}
			body, err := api.Send(ctx, s.client, api.SnapshotRestore, &api.SnapshotRestoreRequest{Force: force}, f)
			if err != nil {
				return err
			}
			defer body.Close()
			_, _ = io.Copy(io.Discard, body)
			inv.Printf("Snapshot Restored")
			return nil
		},
	}
}

func snapshotInspect() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "inspect", Synopsis: "Show what a saved state holds", Usage: "[options] <path>", Min: 1, Max: 1, Offline: true,
		Help:   `Reads a file that "operator snapshot save" made, checks it to its end and shows what it holds. No agent is needed.`,
		Define: format.Define,
		Run: func(_ context.Context, inv *cli.Invocation) error {
			f, err := os.Open(inv.Args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			in, err := snapshot.Inspect(f)
			if err != nil {
				return fmt.Errorf("%s: %w", inv.Args[0], err)
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, in)
			}
			var p cli.Pairs
			p.Add("ID", in.ID)
			p.Add("Size", size(uint64(in.Size)))
			p.Add("Index", fmt.Sprint(in.Index))
			p.Add("Term", fmt.Sprint(in.Term))
			p.Add("Version", fmt.Sprint(in.Format))
			p.Add("Saved", timestamp(in.Time))
			p.Add("Cluster", in.Cluster)
			p.Add("Protocol", fmt.Sprint(in.Protocol))
			p.Add("Saved By", in.Build)
			p.Write(inv.Stdout, inv.Style)
			inv.Printf("")
			t := cli.NewTable("Table", "Rows", "Size")
			for _, row := range in.Tables {
				t.Row(row.Name, fmt.Sprint(row.Rows), size(uint64(row.Bytes)))
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}
