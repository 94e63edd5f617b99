package command

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/jobspec"
)

func format() *cli.Command {
	var check, list, recursive bool
	list = true
	write := true
	return &cli.Command{
		Name: "fmt", Synopsis: "Bring job files into the one layout", Usage: "[options] [<path>...]", Max: -1, Offline: true,
		Help: `Rewrites job files, and other files in HCL, in the canonical layout. Without a path, the files of this folder that end in .nomad, .hcl, .nomad.hcl or .serai.hcl; "-" reads standard input and writes to standard output.`,
		Define: func(f *cli.Flags) {
			f.Bool(&check, "check", "Change nothing; the exit code is 1 when a file is not in the layout.")
			f.Bool(&list, "list", "List the files that are not in the layout. On by default.")
			f.Bool(&recursive, "recursive", "Look also into the folders below.")
			f.Bool(&write, "write", "Write the files. On by default.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if len(inv.Args) == 1 && inv.Args[0] == "-" {
				return formatStream(inv, check)
			}
			paths := inv.Args
			if len(paths) == 0 {
				paths = []string{"."}
			}
			files, err := formattable(paths, recursive)
			if err != nil {
				return err
			}
			changed := false
			for _, file := range files {
				different, err := formatFile(file, write && !check)
				if err != nil {
					return err
				}
				if different && list {
					inv.Printf("%s", file)
				}
				changed = changed || different
			}
			if check && changed {
				return cli.ExitCode(1)
			}
			return nil
		},
	}
}

func formatStream(inv *cli.Invocation, check bool) error {
	src, err := readLimited(inv.Stdin, "job file", "standard input")
	if err != nil {
		return err
	}
	out, err := jobspec.Format(src, "standard input")
	if err != nil {
		return err
	}
	if check {
		if !bytes.Equal(src, out) {
			return cli.ExitCode(1)
		}
		return nil
	}
	_, err = inv.Stdout.Write(out)
	return err
}

// formattable lists the files that paths name; of folders those with a known ending.
func formattable(paths []string, recursive bool) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && p != path && (!recursive || strings.HasPrefix(d.Name(), ".")):
				return filepath.SkipDir
			case d.Type().IsRegular() && (strings.HasSuffix(p, ".hcl") || strings.HasSuffix(p, ".nomad")):
				files = append(files, p)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// formatFile formats one file and says whether it was different.
func formatFile(path string, write bool) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if info.Size() > maxSource {
		return false, fmt.Errorf("%s: more than %s", path, size(maxSource))
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	out, err := jobspec.Format(src, path)
	if err != nil {
		return false, err
	}
	if bytes.Equal(src, out) {
		return false, nil
	}
	if !write {
		return true, nil
	}
	return true, os.WriteFile(path, out, info.Mode().Perm())
}
