package api

import (
	"reflect"
	"time"
)

// Defaults of jobs.
const (
	DefaultJobPriority = 50
	DefaultKillTimeout = Duration(5 * time.Second)

	minCheckGrace = Duration(time.Second)
)

// DefaultUpdate gives the update block of a type of job; nil where a new
// version has no rolling update unless it asks for one.
func DefaultUpdate(jobType string) *UpdateStrategy {
	if jobType != JobTypeService {
		return nil
	}
	return updateDefaults()
}

func updateDefaults() *UpdateStrategy {
	return &UpdateStrategy{
		Stagger: seconds(30), MaxParallel: 1, HealthCheck: "checks",
		MinHealthyTime: seconds(10), HealthyDeadline: minutes(5), ProgressDeadline: minutes(10),
	}
}

// DefaultMigrate gives the migrate block of a type of job; nil where
// allocations do not move.
func DefaultMigrate(jobType string) *MigrateStrategy {
	if jobType != JobTypeService {
		return nil
	}
	return migrateDefaults()
}

func migrateDefaults() *MigrateStrategy {
	return &MigrateStrategy{MaxParallel: 1, HealthCheck: "checks", MinHealthyTime: seconds(10), HealthyDeadline: minutes(5)}
}

// DefaultRestart gives the restart block of a type of job.
func DefaultRestart(jobType string) *RestartPolicy {
	if jobType == JobTypeBatch || jobType == JobTypeSysbatch {
		return &RestartPolicy{Attempts: 3, Interval: minutes(24 * 60), Delay: seconds(15), Mode: RestartModeFail}
	}
	return &RestartPolicy{Attempts: 2, Interval: minutes(30), Delay: seconds(15), Mode: RestartModeFail}
}

// DefaultReschedule gives the reschedule block of a type of job; nil for types
// whose allocations belong to their node.
func DefaultReschedule(jobType string) *ReschedulePolicy {
	switch jobType {
	case JobTypeService:
		return &ReschedulePolicy{Delay: seconds(30), DelayFunction: "exponential", MaxDelay: minutes(60), Unlimited: true}
	case JobTypeBatch:
		return &ReschedulePolicy{Attempts: 1, Interval: minutes(24 * 60), Delay: seconds(5), DelayFunction: "constant"}
	}
	return nil
}

// DefaultResources gives what a task gets that asks for nothing.
func DefaultResources() *Resources { return &Resources{CPU: 100, MemoryMB: 300} }

// DefaultLogConfig gives how much of a task's output is kept.
func DefaultLogConfig() *LogConfig {
	return &LogConfig{MaxFiles: 10, MaxFileSizeMB: 10, Enabled: true}
}

// DefaultEphemeralDisk gives the disk of a group that asks for none.
func DefaultEphemeralDisk() *EphemeralDisk { return &EphemeralDisk{SizeMB: 300} }

func disconnectDefaults() *DisconnectStrategy {
	return &DisconnectStrategy{Replace: true, Reconcile: "best_score"}
}

func seconds(n int) Duration { return Duration(n) * Duration(time.Second) }
func minutes(n int) Duration { return Duration(n) * Duration(time.Minute) }

// blockDefaults holds the defaults of blocks that need nothing from around
// them. Those that inherit are handled where they are decoded.
var blockDefaults = map[reflect.Type]func() any{
	typeOf[Constraint]():          func() any { return &Constraint{Operand: ConstraintEqual} },
	typeOf[Affinity]():            func() any { return &Affinity{Operand: ConstraintEqual, Weight: 50} },
	typeOf[Spread]():              func() any { return &Spread{Weight: 50} },
	typeOf[UpdateStrategy]():      func() any { return updateDefaults() },
	typeOf[MigrateStrategy]():     func() any { return migrateDefaults() },
	typeOf[EphemeralDisk]():       func() any { return DefaultEphemeralDisk() },
	typeOf[LogConfig]():           func() any { return DefaultLogConfig() },
	typeOf[Resources]():           func() any { return DefaultResources() },
	typeOf[DisconnectStrategy]():  func() any { return disconnectDefaults() },
	typeOf[RequestedDevice]():     func() any { return &RequestedDevice{Count: 1} },
	typeOf[NetworkResource]():     func() any { return &NetworkResource{Mode: "host"} },
	typeOf[NUMAResource]():        func() any { return &NUMAResource{Affinity: "none"} },
	typeOf[ScalingPolicy]():       func() any { return &ScalingPolicy{Enabled: true, Type: "horizontal"} },
	typeOf[PeriodicConfig]():      func() any { return &PeriodicConfig{Enabled: true, SpecType: "cron", TimeZone: "UTC"} },
	typeOf[Consul]():              func() any { return &Consul{Cluster: "default"} },
	typeOf[VolumeMount]():         func() any { return &VolumeMount{PropagationMode: "private"} },
	typeOf[MultiregionStrategy](): func() any { return &MultiregionStrategy{} },
	typeOf[MultiregionRegion]():   func() any { return &MultiregionRegion{Datacenters: []string{"*"}} },
	typeOf[CheckRestart]():        func() any { return &CheckRestart{Grace: minCheckGrace} },
	typeOf[ServiceWeights]():      func() any { return &ServiceWeights{Passing: 1, Warning: 1} },
	typeOf[ConsulProxy]():         func() any { return &ConsulProxy{LocalServiceAddress: "127.0.0.1"} },
	typeOf[ConsulGatewayProxy]():  func() any { return &ConsulGatewayProxy{ConnectTimeout: seconds(5)} },
	typeOf[ChangeScript]():        func() any { return &ChangeScript{Timeout: seconds(5)} },
	typeOf[TaskArtifact]():        func() any { return &TaskArtifact{GetterMode: "any", RelativeDest: "local/"} },
	typeOf[SidecarTask]():         func() any { return &SidecarTask{KillTimeout: seconds(5), ShutdownDelay: seconds(5)} },
	typeOf[ParameterizedJobConfig](): func() any {
		return &ParameterizedJobConfig{Payload: "optional"}
	},
	typeOf[Service](): func() any {
		return &Service{Provider: "consul", AddressMode: "auto", OnUpdate: "require_healthy", Cluster: "default"}
	},
	typeOf[Template](): func() any {
		return &Template{ChangeMode: "restart", Splay: seconds(5), Perms: "0644", LeftDelim: "{{", RightDelim: "}}"}
	},
	typeOf[Vault](): func() any {
		return &Vault{Env: true, Cluster: "default", ChangeMode: "restart", ChangeSignal: "SIGHUP"}
	},
	typeOf[TaskCSIPluginConfig](): func() any {
		return &TaskCSIPluginConfig{MountDir: "/csi", StagePublishBaseDir: "/local/csi", HealthTimeout: seconds(30)}
	},
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// newDefault makes a pointer to a value of a type with its defaults.
func newDefault(t reflect.Type) reflect.Value {
	if f, ok := blockDefaults[t]; ok {
		return reflect.ValueOf(f())
	}
	return reflect.New(t)
}
