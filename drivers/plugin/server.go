package plugin

import (
	"context"
	"errors"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/base"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// server answers the wire's calls with a Driver.
type server struct {
	base.UnimplementedBasePluginServer
	driver.UnimplementedDriverServer
	impl drivers.Driver
}

func (s *server) PluginInfo(context.Context, *base.PluginInfoRequest) (*base.PluginInfoResponse, error) {
	info := s.impl.Info()
	return &base.PluginInfoResponse{Type: base.PluginType_DRIVER, PluginApiVersions: []string{apiVersion},
		PluginVersion: info.Version, Name: info.Name}, nil
}

func (s *server) ConfigSchema(context.Context, *base.ConfigSchemaRequest) (*base.ConfigSchemaResponse, error) {
	return &base.ConfigSchemaResponse{Spec: specOf(s.impl.ConfigSchema())}, nil
}

func (s *server) SetConfig(ctx context.Context, req *base.SetConfigRequest) (*base.SetConfigResponse, error) {
	config, err := decode(req.GetMsgpackConfig())
	if err == nil {
		err = s.impl.Configure(ctx, config)
	}
	return &base.SetConfigResponse{}, toStatus(err)
}

func (s *server) TaskConfigSchema(context.Context, *driver.TaskConfigSchemaRequest) (*driver.TaskConfigSchemaResponse, error) {
	return &driver.TaskConfigSchemaResponse{Spec: specOf(s.impl.TaskSchema())}, nil
}

func (s *server) Capabilities(context.Context, *driver.CapabilitiesRequest) (*driver.CapabilitiesResponse, error) {
	return &driver.CapabilitiesResponse{Capabilities: abilitiesToWire(s.impl.Info().Abilities)}, nil
}

func (s *server) Init(context.Context, *driver.InitRequest) (*driver.InitResponse, error) {
	return &driver.InitResponse{}, nil
}

func (s *server) Shutdown(context.Context, *driver.ShutdownRequest) (*driver.ShutdownResponse, error) {
	return &driver.ShutdownResponse{}, nil
}

func (s *server) Fingerprint(_ *driver.FingerprintRequest, stream driver.Driver_FingerprintServer) error {
	ch, err := s.impl.Fingerprint(stream.Context())
	if err != nil {
		return toStatus(err)
	}
	for fp := range ch {
		out := &driver.FingerprintResponse{Attributes: attributesToWire(fp.Attributes),
			Health: numberIn[driver.FingerprintResponse_HealthState](healths, fp.Health), HealthDescription: fp.Description}
		if fp.Err != nil {
			out.Err = fp.Err.Error()
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) RecoverTask(ctx context.Context, req *driver.RecoverTaskRequest) (*driver.RecoverTaskResponse, error) {
	h, err := handleFromWire(req.GetHandle(), nil)
	if err == nil {
		err = s.impl.Recover(ctx, h)
	}
	return &driver.RecoverTaskResponse{}, toStatus(err)
}

func (s *server) StartTask(ctx context.Context, req *driver.StartTaskRequest) (*driver.StartTaskResponse, error) {
	task, err := taskFromWire(req.GetTask())
	if err != nil {
		return nil, toStatus(err)
	}
	h, err := s.impl.Start(ctx, task)
	if err != nil {
		return nil, startStatus(err)
	}
	return startSuccess(h, req.GetTask()), nil
}

// startSuccess tells of a task that runs. The host has the task's configuration: it gets it as it was sent.
func startSuccess(h *drivers.TaskHandle, task *driver.TaskConfig) *driver.StartTaskResponse {
	return &driver.StartTaskResponse{Result: driver.StartTaskResponse_SUCCESS, NetworkOverride: networkToWire(h.Network),
		Handle: &driver.TaskHandle{Version: int32(h.Version), Config: task, State: driver.TaskState_RUNNING, DriverState: h.DriverState}}
}

func startFailure(err error) *driver.StartTaskResponse {
	out := &driver.StartTaskResponse{Result: driver.StartTaskResponse_FATAL, DriverErrorMsg: err.Error()}
	if drivers.IsRecoverable(err) {
		out.Result = driver.StartTaskResponse_RETRY
	}
	if se, ok := errors.AsType[*drivers.StartError](err); ok {
		out.StartExitCode = int32(se.ExitCode)
	}
	return out
}

func (s *server) WaitTask(ctx context.Context, req *driver.WaitTaskRequest) (*driver.WaitTaskResponse, error) {
	r, err := s.impl.Wait(ctx, req.GetTaskId())
	if err != nil {
		return nil, toStatus(err)
	}
	out := &driver.WaitTaskResponse{Result: exitToWire(r)}
	if r.Err != nil {
		out.Err = r.Err.Error()
		out.ExitUnknown = errors.Is(r.Err, drivers.ErrExitUnknown)
	}
	return out, nil
}

func (s *server) StopTask(ctx context.Context, req *driver.StopTaskRequest) (*driver.StopTaskResponse, error) {
	err := s.impl.Stop(ctx, req.GetTaskId(), req.GetTimeout().AsDuration(), req.GetSignal())
	return &driver.StopTaskResponse{}, toStatus(err)
}

func (s *server) DestroyTask(ctx context.Context, req *driver.DestroyTaskRequest) (*driver.DestroyTaskResponse, error) {
	return &driver.DestroyTaskResponse{}, toStatus(s.impl.Destroy(ctx, req.GetTaskId(), req.GetForce()))
}

func (s *server) InspectTask(ctx context.Context, req *driver.InspectTaskRequest) (*driver.InspectTaskResponse, error) {
	st, err := s.impl.Inspect(ctx, req.GetTaskId())
	if err != nil {
		return nil, toStatus(err)
	}
	return statusToWire(st), nil
}
