package steps

import (
	"context"
	"strings"

	"github.com/seraihq/serai/client/files"
)

// Payload writes what a job was dispatched with to the file that the task asks
// for, beneath its local directory.
type Payload struct{}

// Name implements Step.
func (Payload) Name() string { return "dispatch_payload" }

// Up implements Step.
func (Payload) Up(_ context.Context, in *In) (Result, error) {
	if in.Restored || in.Task.DispatchPayload == nil || in.Task.DispatchPayload.File == "" {
		return nil, nil
	}
	alloc, err := files.Open(in.Dir)
	if err != nil {
		return nil, err
	}
	defer alloc.Close()
	local, err := alloc.Sub(in.Task.Name + "/local")
	if err != nil {
		return nil, err
	}
	defer local.Close()
	name := in.Task.DispatchPayload.File
	for i, r := range name {
		if r == '/' && i > 0 && strings.Trim(name[:i], "/.") != "" {
			if err := local.Mkdir(name[:i], 0o755, -1, -1); err != nil {
				return nil, err
			}
		}
	}
	uid, gid := owner(in)
	return nil, local.WriteFile(name, in.Alloc.Job.Payload, 0o644, uid, gid)
}

// Down implements Step.
func (Payload) Down(context.Context, *In, Result) error { return nil }
