package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/ability"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/base"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// remote is a Driver at the other end of a connection.
type remote struct {
	base   base.BasePluginClient
	driver driver.DriverClient
	beyond ability.AbilitiesClient
	info   drivers.Info
	config schemaCodec
	task   schemaCodec
	// node is what Configure tells of the node.
	node Node
	// streams is whether the driver has streaming exec, once that is known.
	streams atomic.Int32
}

// describe asks the other side who it is; after that, what is constant is answered without a call.
func describe(ctx context.Context, conn grpc.ClientConnInterface) (*remote, error) {
	r := &remote{base: base.NewBasePluginClient(conn), driver: driver.NewDriverClient(conn), beyond: ability.NewAbilitiesClient(conn)}
	info, err := r.base.PluginInfo(ctx, &base.PluginInfoRequest{})
	if err != nil {
		return nil, fromStatus(ctx, "", err)
	}
	if info.GetType() != base.PluginType_DRIVER {
		return nil, fmt.Errorf("plugin %q is not a task driver but of type %s", info.GetName(), info.GetType())
	}
	if !contains(info.GetPluginApiVersions(), apiVersion) {
		return nil, fmt.Errorf("plugin %q speaks the driver protocol in versions %v, and %s is needed", info.GetName(), info.GetPluginApiVersions(), apiVersion)
	}
	r.info.Name, r.info.Version = info.GetName(), info.GetPluginVersion()
	abilities, err := r.driver.Capabilities(ctx, &driver.CapabilitiesRequest{})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	r.info.Abilities = abilitiesFromWire(abilities.GetCapabilities())
	if err := r.learnAbilities(ctx); err != nil {
		return nil, err
	}
	return r, r.learnSchemas(ctx)
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

func (r *remote) learnSchemas(ctx context.Context) error {
	config, err := r.base.ConfigSchema(ctx, &base.ConfigSchemaRequest{})
	if err != nil {
		return r.fail(ctx, err)
	}
	task, err := r.driver.TaskConfigSchema(ctx, &driver.TaskConfigSchemaRequest{})
	if err != nil {
		return r.fail(ctx, err)
	}
	if r.config, err = codecOf(config.GetSpec()); err != nil {
		return fmt.Errorf("driver %q: %w", r.info.Name, err)
	}
	if r.task, err = codecOf(task.GetSpec()); err != nil {
		return fmt.Errorf("driver %q: task %w", r.info.Name, err)
	}
	return nil
}

func (r *remote) fail(ctx context.Context, err error) error { return fromStatus(ctx, r.info.Name, err) }

// Info implements drivers.Driver.
func (r *remote) Info() drivers.Info { return r.info }

// ConfigSchema implements drivers.Driver.
func (r *remote) ConfigSchema() *drivers.Schema { return r.config.schema }

// TaskSchema implements drivers.Driver.
func (r *remote) TaskSchema() *drivers.Schema { return r.task.schema }

// Configure implements drivers.Driver.
func (r *remote) Configure(ctx context.Context, config map[string]any) error {
	text, err := r.config.encode(config)
	if err != nil {
		return fmt.Errorf("driver %q: %w", r.info.Name, err)
	}
	_, err = r.base.SetConfig(ctx, &base.SetConfigRequest{MsgpackConfig: text, PluginApiVersion: apiVersion,
		NomadConfig: r.node.toWire()})
	if err != nil {
		return r.fail(ctx, err)
	}
	// Init is younger than most drivers; one that does not have it does not need it.
	if _, err := r.driver.Init(ctx, &driver.InitRequest{}); err != nil {
		if err := r.fail(ctx, err); !errors.Is(err, drivers.ErrUnsupported) {
			return err
		}
	}
	return nil
}

// Fingerprint implements drivers.Driver.
func (r *remote) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	stream, err := r.driver.Fingerprint(ctx, &driver.FingerprintRequest{})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return follow(ctx, stream.Recv, func(m *driver.FingerprintResponse, err error) drivers.Fingerprint {
		if err != nil {
			return drivers.Fingerprint{Err: r.fail(ctx, err)}
		}
		fp := drivers.Fingerprint{Attributes: attributesFromWire(m.GetAttributes()), Health: nameIn(healths, m.GetHealth()), Description: m.GetHealthDescription()}
		if m.GetErr() != "" {
			fp.Err = errors.New(m.GetErr())
		}
		return fp
	}), nil
}

// follow turns a stream into a channel. An error of the stream, other than its end or ctx's, is the last value sent.
func follow[M, T any](ctx context.Context, recv func() (M, error), convert func(M, error) T) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		for {
			m, err := recv()
			if ctx.Err() != nil || errors.Is(err, io.EOF) {
				return
			}
			select {
			case out <- convert(m, err):
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// Start implements drivers.Driver.
func (r *remote) Start(ctx context.Context, task *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	t, err := taskToWire(task, r.task)
	if err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	resp, err := r.driver.StartTask(ctx, &driver.StartTaskRequest{Task: t})
	if answer, ok := startAnswer(err); ok {
		resp, err = answer, nil
	}
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return r.started(resp, task)
}

// started reads how a start went.
func (r *remote) started(resp *driver.StartTaskResponse, task *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	if resp.GetResult() != driver.StartTaskResponse_SUCCESS {
		return nil, &drivers.StartError{Recoverable: resp.GetResult() == driver.StartTaskResponse_RETRY,
			ExitCode: int(resp.GetStartExitCode()), Err: errors.New(resp.GetDriverErrorMsg())}
	}
	h, err := handleFromWire(resp.GetHandle(), task)
	if err != nil {
		return nil, fmt.Errorf("driver %q: task %s: %w", r.info.Name, task.ID, err)
	}
	h.State, h.Network = drivers.TaskRunning, networkFromWire(resp.GetNetworkOverride())
	return h, nil
}

// Recover implements drivers.Driver.
func (r *remote) Recover(ctx context.Context, handle *drivers.TaskHandle) error {
	if handle == nil || handle.Config == nil {
		return errors.New("recover: the handle has no task")
	}
	h, err := handleToWire(handle, r.task)
	if err != nil {
		return err
	}
	_, err = r.driver.RecoverTask(ctx, &driver.RecoverTaskRequest{TaskId: handle.Config.ID, Handle: h})
	return r.fail(ctx, err)
}

// Inspect implements drivers.Driver.
func (r *remote) Inspect(ctx context.Context, id string) (drivers.TaskStatus, error) {
	resp, err := r.driver.InspectTask(ctx, &driver.InspectTaskRequest{TaskId: id})
	if err != nil {
		return drivers.TaskStatus{}, r.fail(ctx, err)
	}
	return statusFromWire(resp), nil
}

// Wait implements drivers.Driver.
func (r *remote) Wait(ctx context.Context, id string) (drivers.ExitResult, error) {
	resp, err := r.driver.WaitTask(ctx, &driver.WaitTaskRequest{TaskId: id})
	if err != nil {
		return drivers.ExitResult{}, r.fail(ctx, err)
	}
	out := exitFromWire(resp.GetResult())
	switch {
	case resp.GetExitUnknown():
		out.Err = &remoteError{text: resp.GetErr(), kind: drivers.ErrExitUnknown}
	case resp.GetErr() != "":
		out.Err = errors.New(resp.GetErr())
	}
	return out, nil
}

// Stop implements drivers.Driver.
func (r *remote) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	_, err := r.driver.StopTask(ctx, &driver.StopTaskRequest{TaskId: id, Timeout: durationpb.New(timeout), Signal: signal})
	return r.fail(ctx, err)
}

// Destroy implements drivers.Driver.
func (r *remote) Destroy(ctx context.Context, id string, force bool) error {
	_, err := r.driver.DestroyTask(ctx, &driver.DestroyTaskRequest{TaskId: id, Force: force})
	if err := r.fail(ctx, err); !errors.Is(err, drivers.ErrTaskNotFound) {
		return err
	}
	return nil
}
