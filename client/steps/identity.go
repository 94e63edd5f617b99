package steps

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/client/identity"
)

// identityDeadline is how long the servers may take to sign a task's identities.
const identityDeadline = 5 * time.Minute

// Signer has the servers sign identities of tasks of this node.
type Signer func(ctx context.Context, allocID, task string, names []string) ([]*api.SignedIdentity, error)

// Identities gives a task the signed identities that its job asks for.
type Identities struct{ manager *identity.Manager }

// Name implements Step.
func (*Identities) Name() string { return "identities" }

// Up implements Step. Its result tells when the identities are to be renewed.
func (s *Identities) Up(ctx context.Context, in *In) (Result, error) {
	s.Release() // of an attempt that failed
	for _, id := range in.Task.NeededIdentities() {
		if id.ChangeMode == "signal" && !in.Driver.Abilities.Signal {
			return nil, api.Errorf(api.ErrInvalid, "identity %q: driver %q cannot send signals: use change_mode restart or noop", id.Name, in.Task.Driver)
		}
		if _, err := tokenPath(in, id); err != nil {
			return nil, err
		}
	}
	at := *in
	m := identity.New(identity.Config{
		Sign: func(ctx context.Context, names []string) ([]*api.SignedIdentity, error) {
			return at.Sign(ctx, at.Alloc.ID, at.Task.Name, names)
		},
		Write:      func(id *api.WorkloadIdentity, token api.Sensitive) error { return writeToken(&at, id, token) },
		Identities: in.Task.NeededIdentities(), Control: in.Control, Before: in.Before,
		Keep: func(out map[string]string) { at.Keep(s.Name(), out) },
	})
	if err := m.First(ctx); err != nil {
		return nil, err
	}
	s.manager = m
	return m.Results(), nil
}

// Again implements Renewer.
func (s *Identities) Again(ctx context.Context, _ *In) (Result, error) {
	err := s.manager.Again(ctx)
	return s.manager.Results(), err
}

// Env implements Environment.
func (s *Identities) Env() map[string]string {
	if s.manager == nil {
		return nil
	}
	return s.manager.Env()
}

// Down implements Step: files in the secrets end with those.
func (s *Identities) Down(context.Context, *In, Result) error {
	s.Release()
	return nil
}

// Release implements Releaser.
func (s *Identities) Release() {
	if s.manager != nil {
		s.manager.Stop()
		s.manager = nil
	}
}

// tokenPath gives where the token of an identity is, beneath the task's directory.
func tokenPath(in *In, id *api.WorkloadIdentity) (string, error) {
	if id.Filepath == "" {
		if id.Name == api.DefaultIdentity {
			return "secrets/nomad_token", nil
		}
		return "secrets/nomad_" + id.Name + ".jwt", nil
	}
	view := ConfigInput{In: *in, Region: in.Region}
	name := environment(view).Replace(id.Filepath)
	seen := dirs(view)
	for inside, dir := range map[string]string{seen.Secrets: "secrets", seen.Local: "local"} {
		if rest, ok := strings.CutPrefix(name, inside+"/"); ok {
			name = dir + "/" + rest
		}
	}
	clean := path.Clean(name)
	top, rest, _ := strings.Cut(clean, "/")
	if path.IsAbs(clean) || top == ".." || top == "private" || (top == "secrets" || top == "local" || top == "tmp") && rest == "" || clean == "." {
		return "", api.Errorf(api.ErrInvalid, "identity %q: filepath %.200q is no file beneath the task's directory; write it relative to that, for example \"secrets/token\"", id.Name, id.Filepath)
	}
	return clean, nil
}

// writeToken replaces the file of a token, which only the task's user reads.
func writeToken(in *In, id *api.WorkloadIdentity, token api.Sensitive) error {
	name, err := tokenPath(in, id)
	if err != nil {
		return err
	}
	root, err := files.Open(in.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	task, err := root.Sub(in.Task.Name)
	if err != nil {
		return err
	}
	defer task.Close()
	if _, err := task.Guard("private"); err != nil {
		return err
	}
	uid, gid := owner(in)
	if dir := path.Dir(name); dir != "." {
		if err := task.MkdirMissing(dir, 0o755, uid, gid); err != nil {
			return err
		}
	}
	return task.ReplaceFile(name, []byte(token.Reveal()), 0o600, uid, gid)
}
