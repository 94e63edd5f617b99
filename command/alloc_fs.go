package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func allocFS() *cli.Command {
	var (
		pick              choice
		end               tail
		human, stat, verb bool
	)
	return &cli.Command{
		Name: "fs", Synopsis: "Look at the files of an allocation", Usage: "[options] <allocation> [<path>]", Min: 1, Max: 2,
		Help: `Lists a folder of an allocation's directory, or shows a file. Paths begin at the allocation's directory: "alloc/logs", "<task>/local".`,
		Define: func(f *cli.Flags) {
			f.Bool(&human, "H", "Show sizes and times for people.")
			f.Bool(&stat, "stat", "Show what the file is, not its content.")
			end.define(f)
			pick.define(f)
			f.Bool(&verb, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			a, err := pick.allocation(ctx, s, inv.Args[0])
			if err != nil {
				return err
			}
			path := "/"
			if len(inv.Args) == 2 {
				path = inv.Args[1]
			}
			info, err := call(ctx, s, api.FSStat, api.FSRequest{ID: a.ID, Path: path})
			if err != nil {
				return err
			}
			switch {
			case stat:
				s.showFiles([]*api.AllocFileInfo{info}, human, true)
				return nil
			case info.IsDir:
				files, err := call(ctx, s, api.FSList, api.FSRequest{ID: a.ID, Path: path})
				if err != nil {
					return err
				}
				s.showFiles(files, human, false)
				return nil
			case !end.follow && !end.fromEnd():
				return s.cat(ctx, a, path)
			}
			return end.copy(ctx, inv.Stdout, s.file(a, path))
		},
	}
}

func (s *session) showFiles(files []*api.AllocFileInfo, human, contentType bool) {
	columns := []string{"Mode", "Size", "Modified Time", "Name"}
	if contentType {
		columns = []string{"Mode", "Size", "Modified Time", "Content Type", "Name"}
	}
	t := cli.NewTable(columns...)
	for _, f := range files {
		name, bytes, modified := f.Name, fmt.Sprint(f.Size), timestamp(f.ModTime)
		if f.IsDir && !strings.HasSuffix(name, "/") {
			name += "/"
		}
		if human {
			bytes, modified = size(uint64(max(0, f.Size))), when(f.ModTime, false)
		}
		row := []string{f.FileMode, bytes, modified, name}
		if contentType {
			row = []string{f.FileMode, bytes, modified, f.ContentType, name}
		}
		t.Row(row...)
	}
	t.Write(s.Stdout, s.Style)
}

func (s *session) cat(ctx context.Context, a *api.Allocation, path string) error {
	body, _, err := api.Open(ctx, s.client, api.FSCat, &api.FSRequest{ID: a.ID, Path: path})
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(s.Stdout, body)
	return err
}

// file opens a file of an allocation as a stream.
func (s *session) file(a *api.Allocation, path string) stream {
	return func(ctx context.Context, follow bool, origin string, offset int64) (io.ReadCloser, error) {
		body, _, err := api.Open(ctx, s.client, api.FSStream, &api.FSStreamRequest{ID: a.ID, Path: path, Follow: &follow, Origin: origin, Offset: offset, Plain: true})
		return body, err
	}
}
