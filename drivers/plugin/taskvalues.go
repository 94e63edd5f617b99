package plugin

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

func taskToWire(t *drivers.TaskConfig, codec schemaCodec) (*driver.TaskConfig, error) {
	config, err := codec.encode(t.Config)
	if err != nil {
		return nil, err
	}
	out := &driver.TaskConfig{
		Id: t.ID, Name: t.Name, MsgpackDriverConfig: config, Env: t.Env, DeviceEnv: t.DeviceEnv, Resources: resourcesToWire(t.Resources),
		User: t.User, AllocDir: t.AllocDir, StdoutPath: t.StdoutPath, StderrPath: t.StderrPath, TaskGroupName: t.Group, JobName: t.JobName,
		AllocId: t.AllocID, NetworkIsolationSpec: isolationToWire(t.Network), JobId: t.JobID, Namespace: t.Namespace,
		NodeName: t.NodeName, NodeId: t.NodeID, ParentJobId: t.ParentJob,
	}
	for _, m := range t.Mounts {
		out.Mounts = append(out.Mounts, &driver.Mount{TaskPath: m.TaskPath, HostPath: m.HostPath, Readonly: m.Readonly,
			PropagationMode: m.Propagation, SelinuxLabel: m.SELinux})
	}
	for _, d := range t.Devices {
		out.Devices = append(out.Devices, &driver.Device{TaskPath: d.TaskPath, HostPath: d.HostPath, CgroupPermissions: d.Permissions})
	}
	if t.DNS != nil {
		out.Dns = &driver.DNSConfig{Servers: t.DNS.Servers, Searches: t.DNS.Searches, Options: t.DNS.Options}
	}
	return out, nil
}

func taskFromWire(t *driver.TaskConfig) (*drivers.TaskConfig, error) {
	if t == nil {
		return nil, fmt.Errorf("request without a task")
	}
	config, err := decode(t.GetMsgpackDriverConfig())
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.GetId(), err)
	}
	out := &drivers.TaskConfig{
		ID: t.GetId(), Name: t.GetName(), Config: config, Env: t.GetEnv(), DeviceEnv: t.GetDeviceEnv(), Resources: resourcesFromWire(t.GetResources()),
		User: t.GetUser(), AllocDir: t.GetAllocDir(), StdoutPath: t.GetStdoutPath(), StderrPath: t.GetStderrPath(), Group: t.GetTaskGroupName(),
		JobName: t.GetJobName(), AllocID: t.GetAllocId(), Network: isolationFromWire(t.GetNetworkIsolationSpec()), JobID: t.GetJobId(),
		Namespace: t.GetNamespace(), NodeName: t.GetNodeName(), NodeID: t.GetNodeId(), ParentJob: t.GetParentJobId(),
	}
	for _, m := range t.GetMounts() {
		out.Mounts = append(out.Mounts, drivers.Mount{TaskPath: m.GetTaskPath(), HostPath: m.GetHostPath(), Readonly: m.GetReadonly(),
			Propagation: m.GetPropagationMode(), SELinux: m.GetSelinuxLabel()})
	}
	for _, d := range t.GetDevices() {
		out.Devices = append(out.Devices, drivers.Device{TaskPath: d.GetTaskPath(), HostPath: d.GetHostPath(), Permissions: d.GetCgroupPermissions()})
	}
	if d := t.GetDns(); d != nil {
		out.DNS = &drivers.DNS{Servers: d.GetServers(), Searches: d.GetSearches(), Options: d.GetOptions()}
	}
	return out, nil
}

func resourcesToWire(r drivers.Resources) *driver.Resources {
	out := &driver.Resources{
		AllocatedResources: &driver.AllocatedTaskResources{
			Cpu:    &driver.AllocatedCpuResources{CpuShares: r.CPUShares},
			Memory: &driver.AllocatedMemoryResources{MemoryMb: r.MemoryMB, MemoryMaxMb: r.MemoryMaxMB},
		},
		LinuxResources: &driver.LinuxResources{
			CpuShares: r.CPUShares, MemoryLimitBytes: r.MemoryLimitMB() << 20, CpusetCpus: r.Cpuset, PercentTicks: r.CPUPercent,
			CpusetCgroup: r.CpusetCgroup,
		},
	}
	for _, p := range r.Ports {
		out.Ports = append(out.Ports, &driver.PortMapping{Label: p.Label, Value: int32(p.Value), To: int32(p.To), HostIp: p.HostIP})
	}
	return out
}

func resourcesFromWire(r *driver.Resources) drivers.Resources {
	linux, allocated := r.GetLinuxResources(), r.GetAllocatedResources()
	out := drivers.Resources{
		CPUShares: allocated.GetCpu().GetCpuShares(), CPUPercent: linux.GetPercentTicks(),
		MemoryMB: allocated.GetMemory().GetMemoryMb(), MemoryMaxMB: allocated.GetMemory().GetMemoryMaxMb(),
		Cpuset: linux.GetCpusetCpus(), CpusetCgroup: linux.GetCpusetCgroup(),
	}
	for _, p := range r.GetPorts() {
		out.Ports = append(out.Ports, drivers.Port{Label: p.GetLabel(), Value: int(p.GetValue()), To: int(p.GetTo()), HostIP: p.GetHostIp()})
	}
	return out
}

func handleToWire(h *drivers.TaskHandle, codec schemaCodec) (*driver.TaskHandle, error) {
	out := &driver.TaskHandle{Version: int32(h.Version), State: numberIn[driver.TaskState](taskStates, h.State), DriverState: h.DriverState}
	if h.Config == nil {
		return out, nil
	}
	var err error
	out.Config, err = taskToWire(h.Config, codec)
	return out, err
}

// handleFromWire reads a handle; the task in it, when config is given, is that one rather than what came over the wire.
func handleFromWire(h *driver.TaskHandle, config *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	if h == nil {
		return nil, fmt.Errorf("answer without a task handle")
	}
	out := &drivers.TaskHandle{Version: int(h.GetVersion()), State: nameIn(taskStates, h.GetState()), DriverState: h.GetDriverState(), Config: config}
	if config != nil || h.GetConfig() == nil {
		return out, nil
	}
	var err error
	out.Config, err = taskFromWire(h.GetConfig())
	return out, err
}

func statusToWire(s drivers.TaskStatus) *driver.InspectTaskResponse {
	task := &driver.TaskStatus{Id: s.ID, Name: s.Name, State: numberIn[driver.TaskState](taskStates, s.State),
		StartedAt: stamp(s.StartedAt), CompletedAt: stamp(s.CompletedAt), Result: &driver.ExitResult{}} // hosts expect one of running tasks too
	if s.Exit != nil {
		task.Result = exitToWire(*s.Exit)
	}
	return &driver.InspectTaskResponse{Task: task, Driver: &driver.TaskDriverStatus{Attributes: s.Attributes}, NetworkOverride: networkToWire(s.Network)}
}

func statusFromWire(r *driver.InspectTaskResponse) drivers.TaskStatus {
	t := r.GetTask()
	out := drivers.TaskStatus{ID: t.GetId(), Name: t.GetName(), State: nameIn(taskStates, t.GetState()),
		StartedAt: moment(t.GetStartedAt()), CompletedAt: moment(t.GetCompletedAt()),
		Attributes: r.GetDriver().GetAttributes(), Network: networkFromWire(r.GetNetworkOverride())}
	if t.GetResult() != nil && out.State == drivers.TaskExited {
		exit := exitFromWire(t.GetResult())
		out.Exit = &exit
	}
	return out
}

// stamp writes the zero time as one, as hosts of this protocol expect: an absent time is an error to them.
func stamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil || (t.GetSeconds() <= 0 && t.GetNanos() == 0) {
		return time.Time{}
	}
	return t.AsTime()
}
