package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact"
	"github.com/seraihq/serai/client/taskenv"
)

const (
	// artifactDeadline bounds the fetches of a task with their wait for a turn;
	// each fetch has a limit of its own.
	artifactDeadline = 12 * time.Hour
	// artifactsAtOnce is how many of a task are fetched at the same time.
	artifactsAtOnce = 3
)

// Failure is an error of a step that has an event of its own.
type Failure struct {
	Event *api.TaskEvent
	Err   error
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives what went wrong.
func (f *Failure) Unwrap() error { return f.Err }

// Artifacts fetches what a task's artifact blocks name, several at once, and
// puts them in their places in the order of the job. What stands is not fetched
// again by a further try. It is one task's own.
type Artifacts struct {
	placed map[int]bool
}

// Name implements Step.
func (*Artifacts) Name() string { return "artifacts" }

// Up implements Step.
func (s *Artifacts) Up(ctx context.Context, in *In) (Result, error) {
	if in.Restored {
		return nil, nil
	}
	if in.Artifacts == nil {
		return nil, errors.New("this agent fetches no artifacts")
	}
	in.tell(&api.TaskEvent{Type: api.TaskDownloadingArtifacts, DisplayMessage: "Client is downloading artifacts"})
	if err := s.all(ctx, in); err != nil {
		text := err.Error()
		return nil, &Failure{Err: err, Event: &api.TaskEvent{
			Type: api.TaskArtifactDownloadFailed, DownloadError: text, DisplayMessage: text,
			Details: map[string]string{"download_error": text},
		}}
	}
	return nil, nil
}

// Down implements Step: what was fetched is the task's, and stays with its directory.
func (s *Artifacts) Down(context.Context, *In, Result) error {
	s.placed = nil
	return nil
}

// tell calls Tell where there is one.
func (in *In) tell(e *api.TaskEvent) {
	if in.Tell != nil {
		in.Tell(e)
	}
}

// piece is an artifact on its way.
type piece struct {
	block *api.TaskArtifact // with all references put in
	from  *artifact.Source
	to    string
	got   *artifact.Fetched
	err   error
	done  chan struct{}
}

func (s *Artifacts) all(ctx context.Context, in *In) error {
	pieces, err := plan(in)
	if err != nil {
		return err
	}
	if s.placed == nil {
		s.placed = map[int]bool{}
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	slots := make(chan struct{}, artifactsAtOnce)
	for i, p := range pieces {
		if s.placed[i] {
			continue
		}
		work.Go(func() {
			defer close(p.done)
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				p.err = ctx.Err()
				return
			}
			defer func() { <-slots }()
			p.got, p.err = in.Artifacts.Fetch(ctx, artifact.Job{
				Source: p.from, Dir: in.Dir, Task: in.Task.Name, Index: i, Bytes: groupDisk(in),
			})
		})
	}
	err = s.place(in, pieces)
	cancel()
	work.Wait()
	for i, p := range pieces {
		if p.got != nil && !s.placed[i] { // fetched, and not wanted any more
			err = errors.Join(err, p.got.Close())
		}
	}
	return err
}

// plan reads the artifacts before anything is fetched.
func plan(in *In) ([]*piece, error) {
	var out []*piece
	where, inside := artifactEnv(in)
	for i, a := range in.Task.Artifacts {
		block := withReferences(a, where, inside)
		from, err := artifact.Parse(block)
		if err != nil {
			return nil, fmt.Errorf("artifact %d: %w", i+1, err)
		}
		to, err := artifact.Destination(in.Task.Name, block.RelativeDest)
		if err != nil {
			return nil, fmt.Errorf("artifact %d: %w", i+1, err)
		}
		out = append(out, &piece{block: block, from: from, to: to, done: make(chan struct{})})
	}
	return out, nil
}

// place puts what was fetched in its place, in order, as it comes.
func (s *Artifacts) place(in *In, pieces []*piece) error {
	for i, p := range pieces {
		if s.placed[i] {
			continue
		}
		<-p.done
		err := p.err
		if err == nil {
			uid, gid := -1, -1
			if p.block.Chown {
				uid, gid = owner(in)
			}
			err = errors.Join(p.got.Place(p.to, p.block.GetterMode, uid, gid), p.got.Close())
			p.got = nil
		}
		if err != nil {
			return fmt.Errorf("fetch %s: %w", artifact.Show(p.from.Name), err)
		}
		s.placed[i] = true
	}
	return nil
}

// artifactEnv makes the task's environment twice: where is for places, in which
// the directories are relative to that of the task; inside for all else.
func artifactEnv(in *In) (where, inside *taskenv.Env) {
	make := func(d taskenv.Dirs) *taskenv.Env {
		return taskenv.New(taskenv.Input{Region: in.Region, Node: in.Node, Alloc: in.Alloc, Task: in.Task, Dirs: d})
	}
	return make(taskenv.Dirs{Alloc: artifact.Shared, Local: "local", Secrets: "secrets"}), make(dirs(ConfigInput{In: *in}))
}

// withReferences gives a copy of a block with all references put in.
func withReferences(a *api.TaskArtifact, where, inside *taskenv.Env) *api.TaskArtifact {
	out := *a
	out.GetterSource, out.RelativeDest = where.Replace(a.GetterSource), where.Replace(a.RelativeDest)
	out.GetterOptions, out.GetterHeaders = maps.Clone(a.GetterOptions), maps.Clone(a.GetterHeaders)
	for k, v := range out.GetterOptions {
		out.GetterOptions[k] = inside.Replace(v)
	}
	for k, v := range out.GetterHeaders {
		out.GetterHeaders[k] = inside.Replace(v)
	}
	return &out
}

// groupDisk is what the disk of the task's allocation may hold; 0: no limit.
func groupDisk(in *In) int64 {
	group := in.Alloc.Job.LookupTaskGroup(in.Alloc.TaskGroup)
	if group == nil || group.EphemeralDisk == nil {
		return 0
	}
	return diskBytes(in.Alloc, group)
}
