package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobInspect() *cli.Command {
	var (
		format           cli.Format
		source, withVars bool
		version          string
	)
	return &cli.Command{
		Name: "inspect", Synopsis: "Show a job in full, as JSON or as its source", Usage: "[options] <job>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.String(&version, "version", "<version>", "Show this version, given by its number or its tag.")
			f.Bool(&source, "hcl", "Show the source that was submitted.")
			f.Bool(&withVars, "with-vars", "Show also the values of variables, with -hcl.")
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
			job, err := s.version(ctx, stub, version)
			if err != nil {
				return err
			}
			if source || withVars {
				return s.showSource(ctx, job, withVars)
			}
			if format.Template != "" {
				return format.Write(inv.Stdout, job)
			}
			return cli.WriteJSON(inv.Stdout, map[string]any{"Job": job})
		},
	}
}

// version finds a version of a job by its number or tag; the newest for "".
func (s *session) version(ctx context.Context, stub *api.JobListStub, want string) (*api.Job, error) {
	if want == "" {
		return call(ctx, s, api.JobRead, on(stub))
	}
	versions, err := call(ctx, s, api.JobVersions, api.JobVersionsRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID})
	if err != nil {
		return nil, err
	}
	number, numErr := strconv.ParseUint(want, 10, 64)
	for _, v := range versions.Versions {
		if v.VersionTag != nil && v.VersionTag.Name == want || numErr == nil && v.Version == number {
			return v, nil
		}
	}
	return nil, fmt.Errorf("job %q has no version %q; see \"serai job history %s\"", stub.ID, want, stub.ID)
}

func (s *session) showSource(ctx context.Context, job *api.Job, withVars bool) error {
	sub, err := call(ctx, s, api.JobSubmissionOf, api.JobSubmissionRequest{QueryOptions: api.QueryOptions{Namespace: job.Namespace}, ID: job.ID, Version: job.Version})
	if err != nil {
		return fmt.Errorf("the source of job %q version %d: %w", job.ID, job.Version, err)
	}
	if sub == nil || sub.Source == "" {
		return fmt.Errorf("the source of job %q version %d is not known: it was submitted as JSON", job.ID, job.Version)
	}
	if withVars {
		for _, name := range sorted(sub.VariableFlags) {
			s.Printf("# %s = %q", name, sub.VariableFlags[name])
		}
		if vars := strings.TrimSpace(sub.Variables); vars != "" {
			s.Printf("%s\n", vars)
		}
	}
	s.Printf("%s", strings.TrimRight(sub.Source, "\n"))
	return nil
}

func jobHistory() *cli.Command {
	var (
		format                        cli.Format
		patch, full                   bool
		version, diffVersion, diffTag string
	)
	return &cli.Command{
		Name: "history", Synopsis: "Show the versions of a job", Usage: "[options] <job>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&patch, "p", "Show how each version differs from the one before.")
			f.Bool(&full, "full", "Show each version in full.")
			f.String(&version, "version", "<version>", "Show only this version, given by its number or its tag.")
			f.String(&diffVersion, "diff-version", "<n>", "Compare with this version instead of the one before.")
			f.String(&diffTag, "diff-tag", "<tag>", "Compare with the version that has this tag.")
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
			patch = patch || diffVersion != "" || diffTag != ""
			resp, err := call(ctx, s, api.JobVersions, api.JobVersionsRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID, Diffs: patch, DiffVersion: diffVersion, DiffTag: diffTag})
			if err != nil {
				return err
			}
			if version != "" {
				if resp, err = onlyVersion(resp, stub.ID, version); err != nil {
					return err
				}
			}
			switch {
			case format.Wanted():
				return format.Write(inv.Stdout, resp.Versions)
			case full:
				return cli.WriteJSON(inv.Stdout, resp.Versions)
			}
			for i, v := range resp.Versions {
				if i > 0 {
					inv.Printf("")
				}
				s.showVersion(v)
				if patch && i < len(resp.Diffs) && resp.Diffs[i] != nil {
					inv.Printf("%s", inv.Style.Bold("Diff"))
					writeJobDiff(inv.Stdout, inv.Style, resp.Diffs[i], false)
				}
			}
			return nil
		},
	}
}

func onlyVersion(resp api.JobVersionsResponse, job, want string) (api.JobVersionsResponse, error) {
	number, numErr := strconv.ParseUint(want, 10, 64)
	for i, v := range resp.Versions {
		if v.VersionTag != nil && v.VersionTag.Name == want || numErr == nil && v.Version == number {
			one := api.JobVersionsResponse{Versions: resp.Versions[i : i+1]}
			if i < len(resp.Diffs) {
				one.Diffs = resp.Diffs[i : i+1]
			}
			return one, nil
		}
	}
	return resp, fmt.Errorf("job %q has no version %q", job, want)
}

func (s *session) showVersion(v *api.Job) {
	var p cli.Pairs
	p.Add("Version", fmt.Sprint(v.Version))
	p.Add("Stable", fmt.Sprint(v.Stable))
	p.Add("Submit Date", timestamp(nano(v.SubmitTime)))
	if v.VersionTag != nil {
		p.Add("Tag Name", v.VersionTag.Name)
		if v.VersionTag.Description != "" {
			p.Add("Tag Description", v.VersionTag.Description)
		}
	}
	if v.Stop {
		p.Add("Stopped", "true")
	}
	p.Write(s.Stdout, s.Style)
}

func jobRevert() *cli.Command {
	var detach, verbose bool
	return &cli.Command{
		Name: "revert", Synopsis: "Make an earlier version of a job the newest", Usage: "[options] <job> <version>", Min: 2, Max: 2,
		Help: `Submits an earlier version of a job again. The version is given by its number or its tag; "job history" lists them.`,
		Define: func(f *cli.Flags) {
			f.Bool(&detach, "detach", "Return at once with the ID of the evaluation.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			f.Ignore("consul-token", "<token>")
			f.Ignore("vault-token", "<token>")
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
			v, err := s.version(ctx, stub, inv.Args[1])
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.JobRevert, api.JobRevertRequest{WriteOptions: within(stub.Namespace), ID: stub.ID, JobID: stub.ID, JobVersion: v.Version})
			if err != nil {
				return err
			}
			return s.followOrPrint(ctx, resp.EvalID, detach, verbose, toDeployment)
		},
	}
}

func jobTagApply() *cli.Command {
	var name, description, version string
	return &cli.Command{
		Name: "apply", Synopsis: "Name a version of a job", Usage: "-name <tag> [options] <job>", Min: 1, Max: 1,
		Help: `Gives a version of a job a name. A named version is not collected, and "job revert" and "job history" find it by its name.`,
		Define: func(f *cli.Flags) {
			f.String(&name, "name", "<tag>", "The name. Required.")
			f.String(&description, "description", "<text>", "What the version is.")
			f.String(&version, "version", "<n>", "The version; the newest when not given.")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if name == "" {
				return cli.Usagef("-name is required")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			v, err := s.version(ctx, stub, version)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.JobTag, api.JobTagRequest{WriteOptions: within(stub.Namespace), ID: stub.ID, Tag: name, Version: v.Version, Description: description}); err != nil {
				return err
			}
			inv.Printf("Version %d of job %q is now tagged %q", v.Version, stub.ID, name)
			return nil
		},
	}
}

func jobTagUnset() *cli.Command {
	var name string
	return &cli.Command{
		Name: "unset", Synopsis: "Take the name of a version of a job away", Usage: "-name <tag> <job>", Min: 1, Max: 1,
		Define:   func(f *cli.Flags) { f.String(&name, "name", "<tag>", "The name. Required.") },
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if name == "" {
				return cli.Usagef("-name is required")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.JobUntag, api.JobUntagRequest{WriteOptions: within(stub.Namespace), ID: stub.ID, Tag: name}); err != nil {
				return err
			}
			inv.Printf("Job %q has no version tagged %q any more", stub.ID, name)
			return nil
		},
	}
}
