package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/snapshot"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/scheduler/sim"
)

// Exit codes of `sim`.
const (
	codeSimShort = 1   // something has no place
	codeSimError = 255 // there is no answer
)

// snapshotMagic begins a saved snapshot.
const snapshotMagic = "SERAISN\n"

func simCommand() *cli.Command {
	var (
		edits   simEdits
		file    jobFile
		format  cli.Format
		by      = sim.SpareByNode
		limit   = 100
		verbose bool
	)
	return &cli.Command{
		Name: "sim", Synopsis: "Try changes on a snapshot or a described fleet", Usage: "[options] <snapshot or fleet file> [<job file>...]", Min: 1, Max: -1, Offline: true,
		Help: `Runs the real scheduler in memory, without a server, on a snapshot (of "operator snapshot save") or on a fleet described in a file. The job files are run first; then the edits are made, all at once; then it is told what moves, what has no place and why, how full the nodes are before and after, and what would not fit if one more node (or datacenter) were lost.

Everything settles at once: what is stopped has ended, what is placed is healthy, and update strategies do not hold anything back.

A described fleet has a block for each kind of node:

  node "web" {
    count       = 30
    datacenters = ["a", "b", "c"] # take turns
    cpu         = 16000           # MHz
    memory      = 65536           # MB
    meta { rack = "r1" }
    device "nvidia/gpu/a100" { count = 4 }
  }

The exit code is 0 when everything has a place, 1 when something has none, and 255 when there was an error.`,
		Define: func(f *cli.Flags) {
			edits.define(f)
			f.String(&by, "n1-by", "<unit>", "What is lost in the N+1 report: node, datacenter, class, pool or none.")
			f.Int(&limit, "n1-limit", "<number>", "Units tried in the N+1 report: the fullest, and a sample of the others.")
			f.Strings(&file.vars, "var", "<name=value>", "Value of a variable of the job files. May be given many times.")
			f.Strings(&file.varFiles, "var-file", "<path>", "File with values of variables. May be given many times.")
			format.Define(f)
			f.Bool(&verbose, "verbose", "List every move.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			file.strict = true
			s := &simulation{file: &file}
			report, err := s.run(ctx, inv, &edits, by, limit)
			if err != nil {
				return &cli.Exit{Code: codeSimError, Err: err}
			}
			if format.Wanted() {
				if err := format.Write(inv.Stdout, report); err != nil {
					return &cli.Exit{Code: codeSimError, Err: err}
				}
			} else {
				writeSim(inv, report, verbose)
			}
			if !report.Fits() {
				return cli.ExitCode(codeSimShort)
			}
			return nil
		},
	}
}

// simulation is what a run of `sim` works on.
type simulation struct {
	file    *jobFile
	world   *sim.World
	jobs    []*api.Job // of the snapshot and the files
	waiting []*api.Job // those of which something has no place already
	asked   int        // allocations that the given jobs ask for
}

func (s *simulation) run(ctx context.Context, inv *cli.Invocation, edits *simEdits, by string, limit int) (*sim.Report, error) {
	if limit < 1 {
		return nil, cli.Usagef("-n1-limit must be at least 1")
	}
	if err := s.load(ctx, inv, inv.Args[0]); err != nil {
		return nil, err
	}
	var first []*api.Job
	for _, path := range inv.Args[1:] {
		jobs, err := s.copies(ctx, inv, path)
		if err != nil {
			return nil, err
		}
		first = append(first, jobs...)
	}
	if len(first) > 0 {
		base, err := sim.Run(s.world, sim.Edits{Jobs: first}, s.waiting, s.jobs)
		if err != nil {
			return nil, err
		}
		s.jobs = append(s.jobs, first...)
		s.waiting = nil
		for _, u := range base.Unplaced {
			if j, ok := s.world.Job(u.Namespace, u.Job); ok {
				s.waiting = append(s.waiting, j)
			}
		}
	}
	e, err := edits.read(ctx, inv, s)
	if err != nil {
		return nil, err
	}
	report, err := sim.Run(s.world, e, s.waiting, s.jobs)
	if err != nil || by == "none" {
		return report, err
	}
	report.Spare, err = sim.Spares(s.world, by, limit, report.Unplaced)
	return report, err
}

// load reads a snapshot or a described fleet.
func (s *simulation) load(ctx context.Context, inv *cli.Invocation, path string) error {
	now := time.Now()
	if path != "-" && !isAddress(path) {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		head := make([]byte, len(snapshotMagic))
		if _, err := io.ReadFull(f, head); err == nil && bytes.Equal(head, []byte(snapshotMagic)) {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return err
			}
			return s.snapshot(f, path, now)
		}
	}
	nodes, err := readFleet(ctx, inv, path)
	if err != nil {
		return err
	}
	s.world = sim.NewWorld(nil, fleet.New(), now)
	for _, n := range nodes {
		s.world.PutNode(n)
	}
	return nil
}

func (s *simulation) snapshot(r io.Reader, path string, now time.Time) error {
	state, err := snapshot.Load(r)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.world = sim.NewWorld(state, fleet.Load(state.Nodes(), state.Allocations()), now)
	for j := range state.Jobs() {
		s.jobs = append(s.jobs, j)
	}
	for e := range state.Evaluations() {
		if e.Status != api.EvalBlocked && e.Status != api.EvalPending {
			continue
		}
		if j, ok := state.Job(e.Namespace, e.JobID); ok {
			s.waiting = append(s.waiting, j)
		}
	}
	return nil
}

// copies reads "web.hcl" or "web.hcl*10". The first copy has the job's own ID,
// unless the world has such a job: then it is its next version.
func (s *simulation) copies(ctx context.Context, inv *cli.Invocation, text string) ([]*api.Job, error) {
	path, number, many := text, "", false
	if at := strings.LastIndexByte(text, '*'); at >= 0 {
		path, number, many = text[:at], text[at+1:], true
	}
	copies := 1
	if many {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > maxSimAllocations {
			return nil, cli.Usagef("job %q: write copies as path*number, with a number from 1 to %d", text, maxSimAllocations)
		}
		copies = n
	}
	parsed, err := s.file.read(ctx, inv, path)
	if err != nil {
		return nil, err
	}
	if err := parsed.Locate(append(parsed.Job.Validate(api.ValidateLimits{}), parsed.Job.NotBuilt()...)); err != nil {
		return nil, err
	}
	wanted := 0
	for _, g := range parsed.Job.TaskGroups {
		if wanted += g.Count; wanted > maxSimAllocations {
			break
		}
	}
	if err := s.charge(min(wanted, maxSimAllocations+1) * copies); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := make([]*api.Job, copies)
	for i := range out {
		c := *parsed.Job
		if c.Namespace == "" {
			c.Namespace = api.DefaultNamespace
		}
		if i > 0 {
			c.ID = fmt.Sprintf("%s-%d", parsed.Job.ID, i+1)
			c.Name = c.ID
		}
		if old, ok := s.world.Job(c.Namespace, c.ID); ok {
			c.Version, c.CreateIndex = old.Version+1, old.CreateIndex
		}
		out[i] = &c
	}
	return out, nil
}

// charge counts allocations that are asked for.
func (s *simulation) charge(n int) error {
	if s.asked += n; s.asked > maxSimAllocations {
		return fmt.Errorf("the jobs ask for more than %d allocations in all", maxSimAllocations)
	}
	return nil
}

// find finds a job by its ID, in any namespace.
func (s *simulation) find(id string) (*api.Job, error) {
	var found []*api.Job
	for _, j := range s.jobs {
		if j.ID == id {
			if current, ok := s.world.Job(j.Namespace, j.ID); ok {
				j = current
			}
			found = append(found, j)
		}
	}
	switch len(found) {
	case 0:
		return nil, api.Errorf(api.ErrNotFound, "there is no job %q", id)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("job %q is in several namespaces", id)
}
