package steps

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/client/template"
)

// templateDeadline is how long templates may wait for files that another task
// writes.
const templateDeadline = 5 * time.Minute

// Templates renders a task's templates, and follows what they were made from
// while the task runs.
type Templates struct {
	Service *template.Service
	manager *template.Manager
}

// Name implements Step.
func (*Templates) Name() string { return "templates" }

// Up implements Step. Its result tells what was rendered, so that a later agent
// finds it unchanged.
func (s *Templates) Up(ctx context.Context, in *In) (Result, error) {
	s.Release() // of an attempt that failed
	if err := s.able(in); err != nil {
		return nil, err
	}
	cfg, err := s.config(in)
	if err != nil {
		return nil, err
	}
	m, err := template.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := m.First(ctx); err != nil {
		return nil, err
	}
	s.manager = m
	return m.Results(), nil
}

// able refuses change modes that the driver cannot serve.
func (s *Templates) able(in *In) error {
	for _, t := range in.Task.Templates {
		if t.ChangeMode == "signal" && !in.Driver.Abilities.Signal {
			return api.Errorf(api.ErrInvalid, "template %q: driver %q cannot send signals: use change_mode restart or noop", t.DestPath, in.Task.Driver)
		}
		if t.ChangeMode == "script" && !in.Driver.Abilities.Exec {
			return api.Errorf(api.ErrInvalid, "template %q: driver %q cannot run scripts in its tasks: use change_mode restart or noop", t.DestPath, in.Task.Driver)
		}
	}
	return nil
}

func (s *Templates) config(in *In) (template.Config, error) {
	uid, gid := owner(in)
	cfg := template.Config{
		Service: s.Service, Control: in.Control, Templates: in.Task.Templates,
		Dir: in.Dir, Task: in.Task.Name, UID: uid, GID: gid, Before: in.Before,
	}
	root, err := files.Open(in.Dir)
	if err != nil {
		return cfg, err
	}
	defer root.Close()
	private, err := root.Stat(in.Task.Name + "/private")
	if err != nil {
		return cfg, err
	}
	cfg.Guarded = []files.ID{private.ID}
	seen := environment(ConfigInput{In: *in, Region: in.Region})
	onHost := in.Dir + "/" + in.Task.Name
	cfg.Env, cfg.Inside = seen.All(), seen.Replace
	cfg.Host = seen.With(map[string]string{
		"NOMAD_ALLOC_DIR": in.Dir + "/alloc", "NOMAD_TASK_DIR": onHost + "/local", "NOMAD_SECRETS_DIR": onHost + "/secrets",
	}).Replace
	return cfg, nil
}

// Again implements Renewer.
func (s *Templates) Again(ctx context.Context, in *In) (Result, error) {
	policy := in.Task.RestartPolicy
	if group := in.Alloc.Job.LookupTaskGroup(in.Alloc.TaskGroup); policy == nil && group != nil {
		policy = group.RestartPolicy
	}
	err := s.manager.Again(ctx, policy != nil && policy.RenderTemplates)
	return s.manager.Results(), err
}

// Env implements Environment.
func (s *Templates) Env() map[string]string {
	if s.manager == nil {
		return nil
	}
	return s.manager.Env()
}

// Down implements Step: the files stay until the allocation is collected.
func (s *Templates) Down(context.Context, *In, Result) error {
	s.Release()
	return nil
}

// Release implements Releaser.
func (s *Templates) Release() {
	if s.manager != nil {
		s.manager.Stop()
		s.manager = nil
	}
}
