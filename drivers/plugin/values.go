package plugin

import (
	"maps"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/hclspec"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/shared"
)

// The wire numbers its enumerations in the order of these lists.
var (
	fsKinds      = []drivers.FSIsolation{drivers.FSNone, drivers.FSChroot, drivers.FSImage, drivers.FSUnveil}
	networkModes = []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup, drivers.NetworkTask, drivers.NetworkNone}
	healths      = []drivers.Health{drivers.HealthUndetected, drivers.HealthUnhealthy, drivers.HealthHealthy}
	taskStates   = []drivers.TaskState{drivers.TaskUnknown, drivers.TaskRunning, drivers.TaskExited}
	cpuFields    = []string{drivers.MeasuredSystem, drivers.MeasuredUser, drivers.MeasuredTotalTicks, drivers.MeasuredThrottledPeriods,
		drivers.MeasuredThrottledTime, drivers.MeasuredPercent}
	memoryFields = []string{drivers.MeasuredRSS, drivers.MeasuredCache, drivers.MeasuredMaxUsage, drivers.MeasuredKernelUsage,
		drivers.MeasuredKernelMaxUsage, drivers.MeasuredUsage, drivers.MeasuredSwap}
)

// numberIn returns the place of v in list, 0 when it is not there.
func numberIn[E ~int32, T comparable](list []T, v T) E {
	for i, one := range list {
		if one == v {
			return E(i)
		}
	}
	return 0
}

// nameIn returns what stands at place n of list, the first when there is nothing.
func nameIn[E ~int32, T any](list []T, n E) T {
	if n < 0 || int(n) >= len(list) {
		return list[0]
	}
	return list[n]
}

func abilitiesToWire(a drivers.Abilities) *driver.DriverCapabilities {
	out := &driver.DriverCapabilities{
		SendSignals:          a.Signal,
		Exec:                 a.Exec,
		FsIsolation:          numberIn[driver.DriverCapabilities_FSIsolation](fsKinds, a.FS),
		MustCreateNetwork:    a.MustCreateNetwork,
		MountConfigs:         driver.DriverCapabilities_NO_MOUNTS,
		DisableLogCollection: a.DisableLogCollection,
		DynamicWorkloadUsers: a.DynamicUsers,
	}
	if a.Mounts {
		out.MountConfigs = driver.DriverCapabilities_ANY_MOUNTS
	}
	for _, m := range a.NetworkModes {
		out.NetworkIsolationModes = append(out.NetworkIsolationModes, numberIn[driver.NetworkIsolationSpec_NetworkIsolationMode](networkModes, m))
	}
	return out
}

func abilitiesFromWire(c *driver.DriverCapabilities) drivers.Abilities {
	out := drivers.Abilities{
		Signal:               c.GetSendSignals(),
		Exec:                 c.GetExec(),
		FS:                   nameIn(fsKinds, c.GetFsIsolation()),
		MustCreateNetwork:    c.GetMustCreateNetwork(),
		Mounts:               c.GetMountConfigs() != driver.DriverCapabilities_NO_MOUNTS,
		DisableLogCollection: c.GetDisableLogCollection(),
		DynamicUsers:         c.GetDynamicWorkloadUsers(),
	}
	for _, m := range c.GetNetworkIsolationModes() {
		out.NetworkModes = append(out.NetworkModes, nameIn(networkModes, m))
	}
	return out
}

func attributesToWire(in map[string]any) map[string]*shared.Attribute {
	out := make(map[string]*shared.Attribute, len(in))
	for k, v := range in {
		switch x := v.(type) {
		case string:
			out[k] = &shared.Attribute{Value: &shared.Attribute_StringVal{StringVal: x}}
		case bool:
			out[k] = &shared.Attribute{Value: &shared.Attribute_BoolVal{BoolVal: x}}
		case int64:
			out[k] = &shared.Attribute{Value: &shared.Attribute_IntVal{IntVal: x}}
		case int:
			out[k] = &shared.Attribute{Value: &shared.Attribute_IntVal{IntVal: int64(x)}}
		case float64:
			out[k] = &shared.Attribute{Value: &shared.Attribute_FloatVal{FloatVal: x}}
		}
	}
	return out
}

func attributesFromWire(in map[string]*shared.Attribute) map[string]any {
	out := make(map[string]any, len(in))
	for k, a := range in {
		switch v := a.GetValue().(type) {
		case *shared.Attribute_StringVal:
			out[k] = v.StringVal
		case *shared.Attribute_BoolVal:
			out[k] = v.BoolVal
		case *shared.Attribute_IntVal:
			out[k] = v.IntVal
		case *shared.Attribute_FloatVal:
			out[k] = v.FloatVal
		}
	}
	return out
}

func exitToWire(r drivers.ExitResult) *driver.ExitResult {
	return &driver.ExitResult{ExitCode: int32(r.ExitCode), Signal: int32(r.Signal), OomKilled: r.OOMKilled}
}

func exitFromWire(r *driver.ExitResult) drivers.ExitResult {
	return drivers.ExitResult{ExitCode: int(r.GetExitCode()), Signal: int(r.GetSignal()), OOMKilled: r.GetOomKilled()}
}

func isolationToWire(n *drivers.NetworkIsolation) *driver.NetworkIsolationSpec {
	if n == nil {
		return nil
	}
	out := &driver.NetworkIsolationSpec{
		Mode: numberIn[driver.NetworkIsolationSpec_NetworkIsolationMode](networkModes, n.Mode), Path: n.Path, Labels: n.Labels}
	if n.Hostname != "" || n.Address != "" {
		out.HostsConfig = &driver.HostsConfig{Hostname: n.Hostname, Address: n.Address}
	}
	return out
}

func isolationFromWire(n *driver.NetworkIsolationSpec) *drivers.NetworkIsolation {
	if n == nil {
		return nil
	}
	return &drivers.NetworkIsolation{Mode: nameIn(networkModes, n.GetMode()), Path: n.GetPath(), Labels: n.GetLabels(),
		Hostname: n.GetHostsConfig().GetHostname(), Address: n.GetHostsConfig().GetAddress()}
}

func networkToWire(n *drivers.Network) *driver.NetworkOverride {
	if n == nil {
		return nil
	}
	out := &driver.NetworkOverride{Addr: n.IP, AutoAdvertise: n.AutoAdvertise, PortMap: map[string]int32{}}
	for k, v := range n.PortMap {
		out.PortMap[k] = int32(v)
	}
	return out
}

func networkFromWire(n *driver.NetworkOverride) *drivers.Network {
	if n == nil {
		return nil
	}
	out := &drivers.Network{IP: n.GetAddr(), AutoAdvertise: n.GetAutoAdvertise(), PortMap: map[string]int{}}
	for k, v := range n.GetPortMap() {
		out.PortMap[k] = int(v)
	}
	return out
}

func eventToWire(e drivers.TaskEvent) *driver.DriverTaskEvent {
	return &driver.DriverTaskEvent{TaskId: e.TaskID, AllocId: e.AllocID, TaskName: e.TaskName,
		Timestamp: timestamppb.New(e.Time), Message: e.Message, Annotations: maps.Clone(e.Annotations)}
}

func eventFromWire(e *driver.DriverTaskEvent) drivers.TaskEvent {
	return drivers.TaskEvent{TaskID: e.GetTaskId(), AllocID: e.GetAllocId(), TaskName: e.GetTaskName(),
		Time: e.GetTimestamp().AsTime(), Message: e.GetMessage(), Annotations: e.GetAnnotations()}
}

// schemaCodec is a schema with the spec by which its values travel.
type schemaCodec struct {
	spec   *hclspec.Spec
	schema *drivers.Schema
}

func codecOf(spec *hclspec.Spec) (schemaCodec, error) {
	schema, err := schemaOf(spec)
	return schemaCodec{spec: spec, schema: schema}, err
}

func (c schemaCodec) encode(raw map[string]any) ([]byte, error) { return encode(c.spec, c.schema, raw) }
