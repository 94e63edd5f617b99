package plugin

import (
	"context"
	"errors"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/ability"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/base"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// pausable is a driver that can be asked to suspend tasks.
type pausable struct {
	drivers.Driver
	can    bool
	paused string
}

func (p *pausable) Info() drivers.Info {
	return drivers.Info{Name: "pausable", Version: "1.0.0", Abilities: drivers.Abilities{FS: drivers.FSNone, Suspend: p.can}}
}
func (p *pausable) ConfigSchema() *drivers.Schema { return drivers.NewSchema() }
func (p *pausable) TaskSchema() *drivers.Schema   { return drivers.NewSchema() }

func (p *pausable) Suspend(_ context.Context, id string) error {
	p.paused = id
	return nil
}

func (p *pausable) Resume(context.Context, string) error { return drivers.TaskNotFound("x") }

// What goes beyond the protocol works where both sides know it, and is missing without harm where one does not.
func TestAbilitiesBeyondTheProtocol(t *testing.T) {
	for what, test := range map[string]struct{ can, known, want bool }{
		"able": {true, true, true}, "not able": {false, true, false}, "of others": {true, false, false},
	} {
		t.Run(what, func(t *testing.T) {
			impl := &pausable{can: test.can}
			s := &server{impl: impl}
			listener := bufconn.Listen(1 << 16)
			gs := grpc.NewServer()
			base.RegisterBasePluginServer(gs, s)
			driver.RegisterDriverServer(gs, s)
			if test.known {
				ability.RegisterAbilitiesServer(gs, &abilities{server: s})
			}
			go func() { _ = gs.Serve(listener) }()
			defer gs.Stop()
			conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			r, err := describe(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			su, ok := drivers.SuspenderOf(r)
			if _, checkpoints := drivers.CheckpointerOf(r); ok != test.want || checkpoints {
				t.Errorf("suspends %v, checkpoints %v", ok, checkpoints)
			}
			if err := su.Suspend(t.Context(), "id"); test.want && (err != nil || impl.paused != "id") || !test.want && !errors.Is(err, drivers.ErrUnsupported) {
				t.Errorf("%v", err)
			}
			if err := su.Resume(t.Context(), "id"); test.want && !errors.Is(err, drivers.ErrTaskNotFound) {
				t.Errorf("%v", err)
			}
			if err := r.Checkpoint(t.Context(), "id", "/"); !errors.Is(err, drivers.ErrUnsupported) {
				t.Errorf("%v", err)
			}
			if _, err := r.Restore(t.Context(), &drivers.TaskConfig{ID: "id"}, "/"); !errors.Is(err, drivers.ErrUnsupported) {
				t.Errorf("%v", err)
			}
		})
	}
}
