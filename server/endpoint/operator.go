package endpoint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

func (e *Endpoints) operator() {
	read(e, api.SchedulerConfigRead, func(r *Read, _ *api.ListRequest) (api.SchedulerConfigurationResponse, error) {
		return api.SchedulerConfigurationResponse{SchedulerConfig: r.SchedulerConfig()}, nil
	})
	write(e, api.SchedulerConfigWrite, schedulerConfigWrite)
	read(e, api.AutopilotConfigRead, func(r *Read, _ *api.ListRequest) (*api.AutopilotConfiguration, error) {
		return r.AutopilotConfig(), nil
	})
	write(e, api.AutopilotConfigWrite, autopilotConfigWrite)
	write(e, api.SystemGC, e.systemGC)
	write(e, api.SystemReconcileSummaries, systemReconcile)
}

func schedulerConfigWrite(w *Write, req *api.SchedulerConfigRequest) (api.SchedulerSetConfigurationResponse, error) {
	var resp api.SchedulerSetConfigurationResponse
	c := req.Config
	if c == nil {
		return resp, api.Errorf(api.ErrInvalid, "must specify a scheduler configuration")
	}
	switch c.SchedulerAlgorithm {
	case "":
		c.SchedulerAlgorithm = api.SchedulerBinpack
	case api.SchedulerBinpack, api.SchedulerSpread:
	default:
		return resp, api.Errorf(api.ErrInvalid, "invalid scheduler algorithm: %q; it is %q or %q", c.SchedulerAlgorithm, api.SchedulerBinpack, api.SchedulerSpread)
	}
	set := &fsm.SchedulerConfigSet{Config: c}
	if req.CAS != nil {
		set.CAS, set.Index = true, *req.CAS
	}
	updated, err := w.apply(set)
	if err != nil {
		return resp, err
	}
	return api.SchedulerSetConfigurationResponse{Updated: updated.(bool)}, nil
}

// autopilotConfigWrite answers whether it was written: a configuration that was
// changed in between is left as it is.
func autopilotConfigWrite(w *Write, req *api.AutopilotConfigRequest) (bool, error) {
	if req.Config == nil {
		return false, api.Errorf(api.ErrInvalid, "must specify an autopilot configuration")
	}
	if err := req.Config.Validate(); err != nil {
		return false, err
	}
	set := &fsm.AutopilotConfigSet{Config: req.Config}
	if req.CAS != nil {
		set.CAS, set.Index = true, *req.CAS
	}
	updated, err := w.apply(set)
	if err != nil {
		return false, err
	}
	return updated.(bool), nil
}

func (e *Endpoints) systemGC(w *Write, _ *api.WriteRequest) (api.None, error) {
	return api.None{}, e.Collect(w.ctx)
}

// systemReconcile has nothing to do: the counts of a summary change in the same
// transaction as what they count.
func systemReconcile(*Write, *api.WriteRequest) (api.None, error) { return api.None{}, nil }
