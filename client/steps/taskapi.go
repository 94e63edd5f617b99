package steps

import (
	"context"
	"errors"
	"net"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
)

// socketName is the socket of a task's way to the API, in its secrets.
const socketName = "api.sock"

// TaskAPI gives a task a socket on which the agent answers its HTTP API, to those
// who show who they are.
type TaskAPI struct{ listener net.Listener }

// Name implements Step.
func (*TaskAPI) Name() string { return "task_api" }

// Up implements Step.
func (s *TaskAPI) Up(_ context.Context, in *In) (Result, error) {
	s.Release()
	root, err := files.Open(in.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	uid, gid := owner(in)
	if s.listener, err = root.Listen(in.Task.Name+"/secrets/"+socketName, uid, gid); err != nil {
		return nil, err
	}
	go in.ServeAPI(s.listener) // ends with the listener
	return nil, nil
}

// Down implements Step.
func (s *TaskAPI) Down(_ context.Context, in *In, _ Result) error {
	s.Release()
	root, err := files.Open(in.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(in.Task.Name + "/secrets/" + socketName); err != nil && !errors.Is(err, api.ErrNotFound) {
		return err
	}
	return nil
}

// Release implements Releaser: the next agent listens there again.
func (s *TaskAPI) Release() {
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
}
