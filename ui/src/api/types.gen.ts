// Generated from the endpoint table by `go test ./api/openapi -update`. Do not edit.

export interface ACLGrants {
  Enabled: boolean;
  Management: boolean;
  Scopes: string[] | null;
  Namespaces: Record<string, string[] | null> | null;
  NodePools: Record<string, string[] | null> | null;
}

export interface ACLPolicy {
  Name: string;
  Description: string;
  Rules: string;
  JobACL: JobACL | null;
  Hash: string | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ACLPolicyListStub {
  Name: string;
  Description: string;
  JobACL: JobACL | null;
  Hash: string | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ACLRole {
  ID: string;
  Name: string;
  Description: string;
  Policies: ACLRolePolicyLink[] | null;
  Hash: string | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ACLRolePolicyLink {
  Name: string;
}

export interface ACLTokenListStub {
  AccessorID: string;
  Name: string;
  Type: string;
  Policies: string[] | null;
  Roles: ACLTokenRoleLink[] | null;
  Global: boolean;
  Hash: string | null;
  CreateTime: string;
  ExpirationTime?: string | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ACLTokenRoleLink {
  ID: string;
  Name: string;
}

export interface ACLTokenSecret {
  AccessorID: string;
  SecretID: string;
  Name: string;
  Type: string;
  Policies: string[] | null;
  Roles: ACLTokenRoleLink[] | null;
  Global: boolean;
  Hash: string | null;
  CreateTime: string;
  ExpirationTime?: string | null;
  ExpirationTTL?: string;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface Action {
  Name: string;
  Command: string;
  Args: string[] | null;
}

export interface Affinity {
  LTarget: string;
  RTarget: string;
  Operand: string;
  Weight: number;
}

export interface AgentHealthResponse {
  client?: HealthState | null;
  server?: HealthState | null;
}

export interface AgentJoinResponse {
  num_joined: number;
  error: string;
  warning: string;
}

export interface AgentMember {
  Name: string;
  Addr: string;
  Port: number;
  Tags: Record<string, string> | null;
  Status: string;
  ProtocolMin: number;
  ProtocolMax: number;
  ProtocolCur: number;
  DelegateMin: number;
  DelegateMax: number;
  DelegateCur: number;
}

export interface AgentSelfResponse {
  config: Record<string, unknown> | null;
  member: AgentMember;
  stats: Record<string, Record<string, string> | null> | null;
}

export interface AllocDeploymentStatus {
  Healthy: boolean | null;
  Timestamp: string;
  Canary: boolean;
  ModifyIndex: number;
}

export interface AllocFileInfo {
  Name: string;
  IsDir: boolean;
  Size: number;
  FileMode: string;
  ModTime: string;
  ContentType?: string;
}

export interface AllocNetworkStatus {
  InterfaceName: string;
  Address: string;
  AddressIPv6: string;
  DNS: DNSConfig | null;
}

export interface AllocResourceUsage {
  ResourceUsage: ResourceUsage | null;
  Tasks: Record<string, TaskResourceUsage> | null;
  Timestamp: number;
}

export interface AllocWhy {
  ID: string;
  Name: string;
  Namespace: string;
  JobID: string;
  TaskGroup: string;
  NodeID: string;
  NodeName: string;
  DesiredStatus: string;
  ClientStatus: string;
  CreateTime: string;
  Summary: string;
  Notes: string[] | null;
  Recorded: AllocationMetric | null;
  Now?: PlacementFunnel | null;
  Scores: NodeScoreMeta[] | null;
  NodeNames: Record<string, string> | null;
  Group?: GroupWhy | null;
}

export interface AllocatedCpuResources {
  CpuShares: number;
  ReservedCores: number[] | null;
}

export interface AllocatedDeviceResource {
  Vendor: string;
  Type: string;
  Name: string;
  DeviceIDs: string[] | null;
  Share?: number;
}

export interface AllocatedMemoryResources {
  MemoryMB: number;
  MemoryMaxMB: number;
}

export interface AllocatedResources {
  Tasks: Record<string, AllocatedTaskResources> | null;
  TaskLifecycles: Record<string, TaskLifecycle> | null;
  Shared: AllocatedSharedResources;
}

export interface AllocatedSharedResources {
  DiskMB: number;
  Networks: NetworkResource[] | null;
  Ports: PortMapping[] | null;
}

export interface AllocatedTaskResources {
  Cpu: AllocatedCpuResources;
  Memory: AllocatedMemoryResources;
  Networks: NetworkResource[] | null;
  Devices: AllocatedDeviceResource[] | null;
}

export interface Allocation {
  ID: string;
  Namespace: string;
  EvalID: string;
  Name: string;
  NodeID: string;
  NodeName: string;
  JobID: string;
  Job: Job | null;
  TaskGroup: string;
  AllocatedResources: AllocatedResources | null;
  Metrics: AllocationMetric | null;
  DesiredStatus: string;
  DesiredDescription: string;
  DesiredTransition: DesiredTransition;
  ClientStatus: string;
  ClientDescription: string;
  TaskStates: Record<string, TaskState> | null;
  DeploymentID: string;
  DeploymentStatus: AllocDeploymentStatus | null;
  FollowupEvalID: string;
  PreviousAllocation: string;
  NextAllocation: string;
  RescheduleTracker: RescheduleTracker | null;
  NetworkStatus: AllocNetworkStatus | null;
  PreemptedAllocations: string[] | null;
  PreemptedByAllocation: string;
  CreateIndex: number;
  ModifyIndex: number;
  AllocModifyIndex: number;
  CreateTime: number;
  ModifyTime: number;
}

export interface AllocationListStub {
  ID: string;
  EvalID: string;
  Name: string;
  Namespace: string;
  NodeID: string;
  NodeName: string;
  JobID: string;
  JobType: string;
  JobVersion: number;
  TaskGroup: string;
  AllocatedResources?: AllocatedResources | null;
  DesiredStatus: string;
  DesiredDescription: string;
  ClientStatus: string;
  ClientDescription: string;
  TaskStates: Record<string, TaskState> | null;
  DeploymentStatus: AllocDeploymentStatus | null;
  FollowupEvalID: string;
  NextAllocation: string;
  RescheduleTracker: RescheduleTracker | null;
  PreemptedAllocations: string[] | null;
  PreemptedByAllocation: string;
  CreateIndex: number;
  ModifyIndex: number;
  CreateTime: number;
  ModifyTime: number;
}

export interface AllocationMetric {
  NodesEvaluated: number;
  NodesFiltered: number;
  NodesInPool: number;
  NodePool: string;
  NodesAvailable: Record<string, number> | null;
  ClassFiltered: Record<string, number> | null;
  ConstraintFiltered: Record<string, number> | null;
  NodesExhausted: number;
  ClassExhausted: Record<string, number> | null;
  DimensionExhausted: Record<string, number> | null;
  QuotaExhausted: string[] | null;
  ResourcesExhausted: Record<string, Resources> | null;
  Scores: Record<string, number> | null;
  ScoreMetaData: NodeScoreMeta[] | null;
  AllocationTime: number;
  CoalescedFailures: number;
}

export interface AllocationStopResponse {
  EvalID: string;
  Index: number;
}

export interface AllocationUsage {
  ID: string;
  Namespace: string;
  JobID: string;
  TaskGroup: string;
  CPU: number;
  MemoryMB: number;
  DiskMB: number;
  Devices: number;
}

export interface Attribute {
  Float?: number | null;
  Int?: number | null;
  String?: string | null;
  Bool?: boolean | null;
  Unit: string;
}

export interface Authority {
  ID: string;
  Certificate: string;
  Cross: string;
  Active: boolean;
  CreateTime: number;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface AutopilotConfiguration {
  CleanupDeadServers: boolean;
  LastContactThreshold: string;
  MaxTrailingLogs: number;
  MinQuorum: number;
  ServerStabilizationTime: string;
  EnableRedundancyZones: boolean;
  DisableUpgradeMigration: boolean;
  EnableCustomUpgrades: boolean;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface AutopilotHealth {
  Healthy: boolean;
  FailureTolerance: number;
  OptimisticFailureTolerance?: number;
  Servers: ServerHealth[] | null;
  Leader: string;
  Voters: string[] | null;
  ReadReplicas?: string[] | null;
  RedundancyZones?: Record<string, AutopilotZone> | null;
}

export interface AutopilotZone {
  Servers: string[] | null;
  Voters: string[] | null;
  FailureTolerance: number;
}

export interface CAResponse {
  Authorities: Authority[] | null;
  Certificates: IssuedCertificate[] | null;
  Pending: string[] | null;
}

export interface CARevokeResponse {
  Revoked: string[] | null;
  Nodes?: string[] | null;
}

export interface CASignResponse {
  Certificate: string;
  Authorities: string;
  Serial: string;
  Expires: string;
}

export interface CNIConfig {
  Args: Record<string, string> | null;
}

export interface CSIMountOptions {
  FSType: string;
  MountFlags: string[] | null;
}

export interface ChangeScript {
  Command: string;
  Args: string[] | null;
  Timeout: number;
  FailOnError: boolean;
  RunOnFirstRender: boolean;
}

export interface CheckRestart {
  Limit: number;
  Grace: number;
  IgnoreWarnings: boolean;
}

export interface Constraint {
  LTarget: string;
  RTarget: string;
  Operand: string;
}

export interface Consul {
  Namespace: string;
  Cluster: string;
  Partition: string;
}

export interface ConsulConnect {
  Native: boolean;
  Gateway: ConsulGateway | null;
  SidecarService: ConsulSidecarService | null;
  SidecarTask: SidecarTask | null;
}

export interface ConsulExposeConfig {
  Paths: ConsulExposePath[] | null;
}

export interface ConsulExposePath {
  Path: string;
  Protocol: string;
  LocalPathPort: number;
  ListenerPort: string;
}

export interface ConsulGateway {
  Proxy: ConsulGatewayProxy | null;
  Ingress: ConsulIngressConfigEntry | null;
  Terminating: ConsulTerminatingConfigEntry | null;
  Mesh: ConsulMeshConfigEntry | null;
}

export interface ConsulGatewayBindAddress {
  Name: string;
  Address: string;
  Port: number;
}

export interface ConsulGatewayProxy {
  ConnectTimeout: number;
  EnvoyGatewayBindTaggedAddresses: boolean;
  EnvoyGatewayBindAddresses: Record<string, ConsulGatewayBindAddress> | null;
  EnvoyGatewayNoDefaultBind: boolean;
  EnvoyDNSDiscoveryType: string;
  Config: Record<string, unknown> | null;
}

export interface ConsulGatewayTLSConfig {
  Enabled: boolean;
  TLSMinVersion: string;
  TLSMaxVersion: string;
  CipherSuites: string[] | null;
  SDS: ConsulGatewayTLSSDSConfig | null;
}

export interface ConsulGatewayTLSSDSConfig {
  ClusterName: string;
  CertResource: string;
}

export interface ConsulHTTPHeaderModifiers {
  Add: Record<string, string> | null;
  Set: Record<string, string> | null;
  Remove: string[] | null;
}

export interface ConsulIngressConfigEntry {
  TLS: ConsulGatewayTLSConfig | null;
  Listeners: ConsulIngressListener[] | null;
}

export interface ConsulIngressListener {
  Port: number;
  Protocol: string;
  Services: ConsulIngressService[] | null;
}

export interface ConsulIngressService {
  Name: string;
  Hosts: string[] | null;
  TLS: ConsulGatewayTLSConfig | null;
  RequestHeaders: ConsulHTTPHeaderModifiers | null;
  ResponseHeaders: ConsulHTTPHeaderModifiers | null;
  MaxConnections: number | null;
  MaxPendingRequests: number | null;
  MaxConcurrentRequests: number | null;
}

export interface ConsulLinkedService {
  Name: string;
  CAFile: string;
  CertFile: string;
  KeyFile: string;
  SNI: string;
}

export interface ConsulMeshConfigEntry {}

export interface ConsulMeshGateway {
  Mode: string;
}

export interface ConsulProxy {
  LocalServiceAddress: string;
  LocalServicePort: number;
  Expose: ConsulExposeConfig | null;
  Upstreams: ConsulUpstream[] | null;
  TransparentProxy: ConsulTransparentProxy | null;
  Config: Record<string, unknown> | null;
}

export interface ConsulSidecarService {
  Tags: string[] | null;
  Port: string;
  Proxy: ConsulProxy | null;
  DisableDefaultTCPCheck: boolean;
  Meta: Record<string, string> | null;
}

export interface ConsulTerminatingConfigEntry {
  Services: ConsulLinkedService[] | null;
}

export interface ConsulTransparentProxy {
  UID: string;
  OutboundPort: number;
  ExcludeInboundPorts: string[] | null;
  ExcludeOutboundPorts: number[] | null;
  ExcludeOutboundCIDRs: string[] | null;
  ExcludeUIDs: string[] | null;
  NoDNS: boolean;
}

export interface ConsulUpstream {
  DestinationName: string;
  DestinationNamespace: string;
  DestinationPeer: string;
  DestinationPartition: string;
  DestinationType: string;
  Datacenter: string;
  LocalBindPort: number;
  LocalBindAddress: string;
  LocalBindSocketPath: string;
  LocalBindSocketMode: string;
  MeshGateway: ConsulMeshGateway | null;
  Config: Record<string, unknown> | null;
}

export interface CountResponse {
  Count: number;
}

export interface CpuStats {
  SystemMode: number;
  UserMode: number;
  TotalTicks: number;
  ThrottledPeriods: number;
  ThrottledTime: number;
  Percent: number;
  Measured: string[] | null;
}

export interface DNSConfig {
  Servers: string[] | null;
  Searches: string[] | null;
  Options: string[] | null;
}

export interface Deployment {
  ID: string;
  Namespace: string;
  JobID: string;
  JobVersion: number;
  JobModifyIndex: number;
  JobSpecModifyIndex: number;
  JobCreateIndex: number;
  IsMultiregion: boolean;
  TaskGroups: Record<string, DeploymentState> | null;
  Status: string;
  StatusDescription: string;
  EvalPriority: number;
  CreateIndex: number;
  ModifyIndex: number;
  CreateTime: number;
  ModifyTime: number;
}

export interface DeploymentState {
  PlacedCanaries: string[] | null;
  AutoRevert: boolean;
  AutoPromote: boolean;
  ProgressDeadline: number;
  RequireProgressBy: string;
  Promoted: boolean;
  DesiredCanaries: number;
  DesiredTotal: number;
  PlacedAllocs: number;
  HealthyAllocs: number;
  UnhealthyAllocs: number;
}

export interface DeploymentUpdateResponse {
  EvalID: string;
  EvalCreateIndex: number;
  DeploymentModifyIndex: number;
  RevertedJobVersion: number | null;
}

export interface DesiredTransition {
  Migrate: boolean | null;
  Reschedule: boolean | null;
  ForceReschedule: boolean | null;
  NoShutdownDelay: boolean | null;
  MigrateDisablePlacement: boolean | null;
}

export interface DesiredUpdates {
  Ignore: number;
  Place: number;
  Migrate: number;
  Stop: number;
  InPlaceUpdate: number;
  DestructiveUpdate: number;
  Canary: number;
  Preemptions: number;
  Disconnect: number;
  Reconnect: number;
  RescheduleNow: number;
  RescheduleLater: number;
}

export interface DeviceGroupStats {
  Vendor: string;
  Type: string;
  Name: string;
  InstanceStats: Record<string, DeviceStats> | null;
}

export interface DeviceStats {
  Summary: StatValue | null;
  Timestamp: string;
}

export interface DisconnectStrategy {
  LostAfter: number;
  StopOnClientAfter: number;
  Replace: boolean;
  Reconcile: string;
}

export interface DispatchPayloadConfig {
  File: string;
}

export interface DrainMetadata {
  StartedAt: string;
  UpdatedAt: string;
  Status: string;
  AccessorID: string;
  Meta: Record<string, string> | null;
}

export interface DrainSpec {
  Deadline: number;
  IgnoreSystemJobs: boolean;
}

export interface DrainStrategy {
  Deadline: number;
  IgnoreSystemJobs: boolean;
  ForceDeadline: string;
  StartedAt: string;
}

export interface DriverInfo {
  Attributes: Record<string, string> | null;
  Detected: boolean;
  Healthy: boolean;
  HealthDescription: string;
  UpdateTime: string;
}

export interface EphemeralDisk {
  Sticky: boolean;
  Migrate: boolean;
  SizeMB: number;
}

export interface EvalOptions {
  ForceReschedule: boolean;
}

export interface Evaluation {
  ID: string;
  Priority: number;
  Type: string;
  TriggeredBy: string;
  Namespace: string;
  JobID: string;
  JobModifyIndex: number;
  NodeID: string;
  NodeModifyIndex: number;
  DeploymentID: string;
  Status: string;
  StatusDescription: string;
  Wait?: number;
  WaitUntil: string;
  NextEval: string;
  PreviousEval: string;
  BlockedEval: string;
  RelatedEvals?: EvaluationStub[] | null;
  FailedTGAllocs: Record<string, AllocationMetric> | null;
  PlanAnnotations?: PlanAnnotations | null;
  ClassEligibility: Record<string, boolean> | null;
  EscapedComputedClass: boolean;
  QuotaLimitReached: string;
  AnnotatePlan: boolean;
  QueuedAllocations: Record<string, number> | null;
  SnapshotIndex: number;
  CreateIndex: number;
  ModifyIndex: number;
  CreateTime: number;
  ModifyTime: number;
}

export interface EvaluationStub {
  ID: string;
  Priority: number;
  Type: string;
  TriggeredBy: string;
  Namespace: string;
  JobID: string;
  NodeID: string;
  DeploymentID: string;
  Status: string;
  StatusDescription: string;
  WaitUntil: string;
  NextEval: string;
  PreviousEval: string;
  BlockedEval: string;
  CreateIndex: number;
  ModifyIndex: number;
  CreateTime: number;
  ModifyTime: number;
}

export interface FieldDiff {
  Type: string;
  Name: string;
  Old: string;
  New: string;
  Annotations: string[] | null;
}

export interface FunnelStep {
  Stage: string;
  Reason: string;
  Removed: number;
  Left: number;
  Detail?: Record<string, number> | null;
  Nearest?: NearestNode | null;
}

export interface FuzzyMatch {
  ID: string;
  Scope?: string[] | null;
}

export interface FuzzySearchResponse {
  Matches: Record<string, FuzzyMatch[] | null> | null;
  Truncations: Record<string, boolean> | null;
  Index: number;
  KnownLeader: boolean;
  LastContact: number;
}

export interface GroupWhy {
  Name: string;
  Wanted: number;
  Running: number;
  Starting: number;
  Unplaced: number;
  Summary: string;
  Notes: string[] | null;
  Funnel: PlacementFunnel | null;
  Scores: NodeScoreMeta[] | null;
  Suggestions: PlacementSuggestion[] | null;
  Placed: PlacementMade[] | null;
}

export interface HealthState {
  ok: boolean;
  message: string;
}

export interface HostCPUStats {
  CPU: string;
  User: number;
  System: number;
  Idle: number;
  TotalPercent: number;
  TotalTicks: number;
}

export interface HostDiskStats {
  Device: string;
  Mountpoint: string;
  Size: number;
  Used: number;
  Available: number;
  UsedPercent: number;
  InodesUsedPercent: number;
}

export interface HostMemoryStats {
  Total: number;
  Available: number;
  Used: number;
  Free: number;
}

export interface HostNetworkInfo {
  Name: string;
  CIDR: string;
  Interface: string;
  ReservedPorts: string;
}

export interface HostStats {
  Memory: HostMemoryStats | null;
  CPU: HostCPUStats[] | null;
  DiskStats: HostDiskStats[] | null;
  AllocDirStats: HostDiskStats | null;
  DeviceStats: DeviceGroupStats[] | null;
  Uptime: number;
  CPUTicksConsumed: number;
  Timestamp: number;
}

export interface HostVolumeInfo {
  Path: string;
  ReadOnly: boolean;
  ID: string;
}

export interface IssuedCertificate {
  Serial: string;
  Role: string;
  Name: string;
  Authority: string;
  Expires: number;
  CreateTime: number;
  Confirmed: boolean;
  Revoked: number;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface Job {
  Region: string;
  Namespace: string;
  ID: string;
  Name: string;
  Type: string;
  Priority: number;
  AllAtOnce: boolean;
  Datacenters: string[] | null;
  NodePool: string;
  Constraints: Constraint[] | null;
  Affinities: Affinity[] | null;
  Spreads: Spread[] | null;
  TaskGroups: TaskGroup[] | null;
  Update: UpdateStrategy | null;
  Multiregion: Multiregion | null;
  Periodic: PeriodicConfig | null;
  ParameterizedJob: ParameterizedJobConfig | null;
  Reschedule: ReschedulePolicy | null;
  Migrate: MigrateStrategy | null;
  Meta: Record<string, string> | null;
  UI: JobUIConfig | null;
  ConsulNamespace: string;
  VaultNamespace: string;
  Stop: boolean;
  ParentID: string;
  Dispatched: boolean;
  DispatchIdempotencyToken: string;
  Payload: string | null;
  NomadTokenID: string;
  Status: string;
  StatusDescription: string;
  Stable: boolean;
  Version: number;
  VersionTag: JobVersionTag | null;
  SubmitTime: number;
  CreateIndex: number;
  ModifyIndex: number;
  JobModifyIndex: number;
}

export interface JobACL {
  Namespace: string;
  JobID: string;
  Group: string;
  Task: string;
}

export interface JobAction {
  Name: string;
  Command: string;
  Args: string[] | null;
  TaskName: string;
  TaskGroupName: string;
}

export interface JobChildrenSummary {
  Pending: number;
  Running: number;
  Dead: number;
}

export interface JobDeregisterResponse {
  EvalID: string;
  EvalCreateIndex: number;
  JobModifyIndex: number;
}

export interface JobDiff {
  Type: string;
  ID: string;
  Fields: FieldDiff[] | null;
  Objects: ObjectDiff[] | null;
  TaskGroups: TaskGroupDiff[] | null;
}

export interface JobDispatchResponse {
  DispatchedJobID: string;
  EvalID: string;
  EvalCreateIndex: number;
  JobCreateIndex: number;
}

export interface JobListStub {
  ID: string;
  ParentID: string;
  Name: string;
  Namespace?: string;
  Datacenters: string[] | null;
  NodePool: string;
  Type: string;
  Priority: number;
  Periodic: boolean;
  ParameterizedJob: boolean;
  Stop: boolean;
  Status: string;
  StatusDescription: string;
  JobSummary: JobSummary | null;
  CreateIndex: number;
  ModifyIndex: number;
  JobModifyIndex: number;
  SubmitTime: number;
  Version: number;
  Meta?: Record<string, string> | null;
}

export interface JobPeriodicForceResponse {
  EvalID: string;
  EvalCreateIndex: number;
}

export interface JobPlanResponse {
  JobModifyIndex: number;
  CreatedEvals: Evaluation[] | null;
  Diff: JobDiff | null;
  Annotations: PlanAnnotations | null;
  FailedTGAllocs: Record<string, AllocationMetric> | null;
  NextPeriodicLaunch: string;
  Warnings: string;
}

export interface JobRegisterResponse {
  EvalID: string;
  EvalCreateIndex: number;
  JobModifyIndex: number;
  Warnings: string;
}

export interface JobScaleStatus {
  JobID: string;
  Namespace: string;
  JobCreateIndex: number;
  JobModifyIndex: number;
  JobStopped: boolean;
  TaskGroups: Record<string, TaskGroupScaleStatus> | null;
}

export interface JobStableResponse {
  JobModifyIndex: number;
}

export interface JobStatus {
  Namespace: string;
  ID: string;
  Name: string;
  Type: string;
  NodePool: string;
  Datacenters: string[] | null;
  Priority: number;
  Version: number;
  ParentID: string;
  Stop: boolean;
  Status: string;
  Allocs: JobStatusAlloc[] | null;
  GroupCountSum: number;
  ChildStatuses: string[] | null;
  LatestDeployment: JobStatusDeployment | null;
  CreateIndex: number;
  ModifyIndex: number;
  SubmitTime: number;
}

export interface JobStatusAlloc {
  ID: string;
  Group: string;
  ClientStatus: string;
  NodeID: string;
  DeploymentStatus: JobStatusHealth;
  JobVersion: number;
  FollowupEvalID: string;
  HasPausedTask: boolean;
}

export interface JobStatusDeployment {
  ID: string;
  IsActive: boolean;
  JobVersion: number;
  Status: string;
  StatusDescription: string;
  AllAutoPromote: boolean;
  RequiresPromotion: boolean;
}

export interface JobStatusHealth {
  Canary: boolean;
  Healthy: boolean | null;
}

export interface JobSubmission {
  Source: string;
  Format: string;
  VariableFlags: Record<string, string> | null;
  Variables: string;
  JobIndex?: number;
}

export interface JobSummary {
  JobID: string;
  Namespace: string;
  Summary: Record<string, TaskGroupSummary> | null;
  Children: JobChildrenSummary | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface JobTagResponse {
  Name: string;
  Description: string;
  TaggedTime: number;
}

export interface JobUIConfig {
  Description: string;
  Links: JobUILink[] | null;
}

export interface JobUILink {
  Label: string;
  URL: string;
}

export interface JobValidateResponse {
  DriverConfigValidated: boolean;
  ValidationErrors: string[] | null;
  Error: string;
  Warnings: string;
}

export interface JobVersionTag {
  Name: string;
  Description: string;
  TaggedTime: number;
}

export interface JobVersionsResponse {
  Versions: Job[] | null;
  Diffs: JobDiff[] | null;
}

export interface JobWhy {
  ID: string;
  Namespace: string;
  Type: string;
  Version: number;
  Summary: string;
  Notes: string[] | null;
  Groups: GroupWhy[] | null;
  Runs: number;
}

export interface JobsPlanEntry {
  ID: string;
  Namespace: string;
  JobModifyIndex: number;
  CreatedEvals: Evaluation[] | null;
  Diff: JobDiff | null;
  Annotations: PlanAnnotations | null;
  FailedTGAllocs: Record<string, AllocationMetric> | null;
  NextPeriodicLaunch: string;
  Warnings: string;
}

export interface JobsPlanResponse {
  Plans: JobsPlanEntry[] | null;
  Totals: JobsPlanTotals;
}

export interface JobsPlanTotals {
  Jobs: number;
  Place: number;
  Stop: number;
  InPlace: number;
  Destroy: number;
  Migrate: number;
  Canary: number;
  Preempted: number;
  Unplaced: number;
}

export interface JoinToken {
  ID: string;
  Role?: string;
  Uses?: number;
  Expires: number;
  Used: number;
  Revoked: boolean;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface JoinTokenResponse {
  Token: string;
  ID: string;
  Role: string;
  Expires: string;
  Uses: number;
  Servers: string[] | null;
}

export interface KeyringResponse {
  Messages: Record<string, string> | null;
  Keys: Record<string, number> | null;
  PrimaryKeys: Record<string, number> | null;
  NumNodes: number;
}

export interface LogConfig {
  MaxFiles: number;
  MaxFileSizeMB: number;
  Disabled: boolean;
  Enabled: boolean;
}

export interface MemoryStats {
  RSS: number;
  Cache: number;
  Swap: number;
  MappedFile: number;
  Usage: number;
  MaxUsage: number;
  KernelUsage: number;
  KernelMaxUsage: number;
  Measured: string[] | null;
}

export interface MigrateStrategy {
  MaxParallel: number;
  HealthCheck: string;
  MinHealthyTime: number;
  HealthyDeadline: number;
}

export interface Multiregion {
  Strategy: MultiregionStrategy | null;
  Regions: MultiregionRegion[] | null;
}

export interface MultiregionRegion {
  Name: string;
  Count: number;
  Datacenters: string[] | null;
  NodePool: string;
  Meta: Record<string, string> | null;
}

export interface MultiregionStrategy {
  MaxParallel: number;
  OnFailure: string;
}

export interface NUMAResource {
  Affinity: string;
  Devices: string[] | null;
}

export interface Namespace {
  Name: string;
  Description: string;
  Quota: string;
  Capabilities: NamespaceCapabilities | null;
  NodePoolConfiguration: NamespaceNodePools | null;
  VaultConfiguration: NamespaceClusters | null;
  ConsulConfiguration: NamespaceClusters | null;
  Meta: Record<string, string> | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface NamespaceCapabilities {
  EnabledTaskDrivers: string[] | null;
  DisabledTaskDrivers: string[] | null;
  EnabledNetworkModes: string[] | null;
  DisabledNetworkModes: string[] | null;
}

export interface NamespaceClusters {
  Default: string;
  Allowed: string[] | null;
  Denied: string[] | null;
}

export interface NamespaceNodePools {
  Default: string;
  Allowed: string[] | null;
  Denied: string[] | null;
}

export interface NamespacedID {
  Namespace: string;
  ID: string;
}

export interface NearestNode {
  NodeID: string;
  NodeName: string;
  Short: Shortfall[] | null;
}

export interface NetworkResource {
  Mode: string;
  Device: string;
  CIDR: string;
  IP: string;
  Hostname: string;
  MBits: number;
  DNS: DNSConfig | null;
  CNI: CNIConfig | null;
  ReservedPorts: Port[] | null;
  DynamicPorts: Port[] | null;
}

export interface Node {
  ID: string;
  Datacenter: string;
  Name: string;
  HTTPAddr: string;
  TLSEnabled: boolean;
  Attributes: Record<string, string> | null;
  NodeResources: NodeResources | null;
  ReservedResources: NodeReservedResources | null;
  Links: Record<string, string> | null;
  Meta: Record<string, string> | null;
  NodeClass: string;
  NodePool: string;
  CgroupParent: string;
  ComputedClass: string;
  Drain: boolean;
  DrainStrategy: DrainStrategy | null;
  SchedulingEligibility: string;
  Status: string;
  StatusDescription: string;
  StatusUpdatedAt: number;
  Events: NodeEvent[] | null;
  Drivers: Record<string, DriverInfo> | null;
  HostVolumes: Record<string, HostVolumeInfo> | null;
  GCVolumesOnNodeGC: boolean;
  HostNetworks: Record<string, HostNetworkInfo> | null;
  LastDrain: DrainMetadata | null;
  NodeMaxAllocs: number;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface NodeBrake {
  Holds: boolean;
  Since?: string | null;
  Held: number;
  Nodes: string[] | null;
  GivenUp: number;
  Percent: number;
  ReleasedUntil?: string | null;
}

export interface NodeCpuResources {
  CpuShares: number;
  TotalCpuCores: number;
  ReservableCpuCores: number[] | null;
}

export interface NodeDevice {
  ID: string;
  Healthy: boolean;
  HealthDescription: string;
  Locality: NodeDeviceLocality | null;
}

export interface NodeDeviceLocality {
  PciBusID: string;
}

export interface NodeDeviceResource {
  Vendor: string;
  Type: string;
  Name: string;
  Instances: NodeDevice[] | null;
  Attributes: Record<string, Attribute> | null;
}

export interface NodeDiskResources {
  DiskMB: number;
}

export interface NodeEvent {
  Message: string;
  Subsystem: string;
  Details: Record<string, string> | null;
  Timestamp: string;
  CreateIndex: number;
}

export interface NodeListStub {
  Address: string;
  ID: string;
  Attributes?: Record<string, string> | null;
  Meta?: Record<string, string> | null;
  Datacenter: string;
  Name: string;
  NodeClass: string;
  NodePool: string;
  Version: string;
  Drain: boolean;
  SchedulingEligibility: string;
  Status: string;
  StatusDescription: string;
  Drivers: Record<string, DriverInfo> | null;
  NodeResources?: NodeResources | null;
  ReservedResources?: NodeReservedResources | null;
  LastDrain: DrainMetadata | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface NodeMemoryResources {
  MemoryMB: number;
}

export interface NodeMetaResponse {
  Meta: Record<string, string> | null;
  Dynamic: Record<string, string | null> | null;
  Static: Record<string, string> | null;
}

export interface NodePool {
  Name: string;
  Description: string;
  Meta: Record<string, string> | null;
  NodeIdentityTTL: number;
  SchedulerConfiguration: NodePoolSchedulerConfig | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface NodePoolSchedulerConfig {
  SchedulerAlgorithm: string;
  MemoryOversubscriptionEnabled: boolean | null;
  PreemptionConfig?: PreemptionConfig | null;
}

export interface NodeReservedCpuResources {
  CpuShares: number;
  ReservedCpuCores: number[] | null;
}

export interface NodeReservedDiskResources {
  DiskMB: number;
}

export interface NodeReservedMemoryResources {
  MemoryMB: number;
}

export interface NodeReservedNetworkResources {
  ReservedHostPorts: string;
}

export interface NodeReservedResources {
  Cpu: NodeReservedCpuResources;
  Memory: NodeReservedMemoryResources;
  Disk: NodeReservedDiskResources;
  Networks: NodeReservedNetworkResources;
}

export interface NodeResources {
  Cpu: NodeCpuResources;
  Memory: NodeMemoryResources;
  Disk: NodeDiskResources;
  Networks: NetworkResource[] | null;
  Devices: NodeDeviceResource[] | null;
  MinDynamicPort: number;
  MaxDynamicPort: number;
}

export interface NodeScoreMeta {
  NodeID: string;
  Scores: Record<string, number> | null;
  NormScore: number;
}

export interface NodeUpdateResponse {
  EvalIDs: string[] | null;
  EvalID?: string;
  EvalCreateIndex: number;
  NodeModifyIndex: number;
}

export interface NodeUsage {
  NodeID: string;
  Count: number;
  CPU: number;
  MemoryMB: number;
  DiskMB: number;
  Devices: number;
  Allocations?: AllocationUsage[] | null;
}

export interface ObjectDiff {
  Type: string;
  Name: string;
  Fields: FieldDiff[] | null;
  Objects: ObjectDiff[] | null;
}

export interface OneTimeTokenExchangeResponse {
  Token: ACLTokenSecret;
}

export interface OneTimeTokenResponse {
  OneTimeToken: OneTimeTokenSecret;
}

export interface OneTimeTokenSecret {
  OneTimeSecretID: string;
  AccessorID: string;
  ExpiresAt: string;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ParameterizedJobConfig {
  Payload: string;
  MetaRequired: string[] | null;
  MetaOptional: string[] | null;
}

export interface PeriodicConfig {
  Enabled: boolean;
  Spec: string;
  Specs: string[] | null;
  SpecType: string;
  ProhibitOverlap: boolean;
  TimeZone: string;
}

export interface PlacementFunnel {
  Nodes: number;
  Steps: FunnelStep[] | null;
  Candidates: number;
  Nearest?: NearestNode | null;
}

export interface PlacementMade {
  ID: string;
  Name: string;
  NodeID: string;
  NodeName: string;
  DesiredStatus: string;
  ClientStatus: string;
  Score: number;
  Considered: number;
  Filtered: number;
  Exhausted: number;
}

export interface PlacementSuggestion {
  Kind: string;
  Text: string;
  Places: number;
  Of: number;
  From?: string;
  To?: string;
  Task?: string;
  Object?: string;
  Preempts?: Record<string, number> | null;
}

export interface PlanAnnotations {
  DesiredTGUpdates: Record<string, DesiredUpdates> | null;
  PreemptedAllocs: AllocationListStub[] | null;
}

export interface Port {
  Label: string;
  Value: number;
  To: number;
  HostNetwork: string;
  IgnoreCollision: boolean;
}

export interface PortMapping {
  Label: string;
  Value: number;
  To: number;
  HostIP: string;
  IgnoreCollision: boolean;
}

export interface PreemptionConfig {
  SystemSchedulerEnabled: boolean;
  SysBatchSchedulerEnabled: boolean;
  BatchSchedulerEnabled: boolean;
  ServiceSchedulerEnabled: boolean;
}

export interface RaftConfiguration {
  Servers: RaftServer[] | null;
  Index: number;
}

export interface RaftServer {
  ID: string;
  Node: string;
  Address: string;
  Leader: boolean;
  Voter: boolean;
  RaftProtocol: string;
}

export interface RequestedDevice {
  Name: string;
  Count: number;
  Share?: number;
  Constraints: Constraint[] | null;
  Affinities: Affinity[] | null;
}

export interface RescheduleEvent {
  RescheduleTime: number;
  PrevAllocID: string;
  PrevNodeID: string;
  Delay: number;
}

export interface ReschedulePolicy {
  Attempts: number;
  Interval: number;
  Delay: number;
  DelayFunction: string;
  MaxDelay: number;
  Unlimited: boolean;
}

export interface RescheduleTracker {
  Events: RescheduleEvent[] | null;
  LastReschedule: string;
}

export interface ResourceUsage {
  MemoryStats: MemoryStats | null;
  CpuStats: CpuStats | null;
  DeviceStats: DeviceGroupStats[] | null;
}

export interface Resources {
  CPU: number;
  Cores: number;
  MemoryMB: number;
  MemoryMaxMB: number;
  SecretsMB: number;
  DiskMB: number;
  IOPS: number;
  Networks: NetworkResource[] | null;
  Devices: RequestedDevice[] | null;
  NUMA: NUMAResource | null;
}

export interface RestartPolicy {
  Attempts: number;
  Interval: number;
  Delay: number;
  Mode: string;
  RenderTemplates: boolean;
}

export interface RootKeyMeta {
  KeyID: string;
  Algorithm: string;
  CreateTime: number;
  CreateIndex: number;
  ModifyIndex: number;
  State: string;
  PublishTime: number;
}

export interface RootKeyRotateResponse {
  Key: RootKeyMeta | null;
  Index: number;
}

export interface ScalingEvent {
  Count: number | null;
  PreviousCount: number;
  Error: boolean;
  Message: string;
  Meta: Record<string, unknown> | null;
  EvalID: string | null;
  Time: number;
  CreateIndex: number;
}

export interface ScalingPolicy {
  Min: number | null;
  Max: number | null;
  Enabled: boolean;
  Type: string;
  Policy: Record<string, unknown> | null;
  ID: string;
  Namespace: string;
  Target: Record<string, string> | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ScalingPolicyListStub {
  ID: string;
  Enabled: boolean;
  Type: string;
  Target: Record<string, string> | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface SchedulerConfiguration {
  SchedulerAlgorithm: string;
  PreemptionConfig: PreemptionConfig;
  MemoryOversubscriptionEnabled: boolean;
  RejectJobRegistration: boolean;
  PauseEvalBroker: boolean;
  NodeLimitForFeasibilityChecks: number;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface SchedulerConfigurationResponse {
  SchedulerConfig: SchedulerConfiguration | null;
}

export interface SchedulerSetConfigurationResponse {
  Updated: boolean;
}

export interface SearchResponse {
  Matches: Record<string, string[] | null> | null;
  Truncations: Record<string, boolean> | null;
  Index: number;
  KnownLeader: boolean;
  LastContact: number;
}

export interface Secret {
  Name: string;
  Provider: string;
  Path: string;
  Config: Record<string, unknown> | null;
  Env: Record<string, string> | null;
}

export interface ServerHealth {
  ID: string;
  Name: string;
  Address: string;
  SerfStatus: string;
  Version: string;
  Leader: boolean;
  LastContact: string;
  LastTerm: number;
  LastIndex: number;
  Healthy: boolean;
  Voter: boolean;
  StableSince: string;
}

export interface ServerMembers {
  ServerName: string;
  ServerRegion: string;
  ServerDC: string;
  Members: AgentMember[] | null;
}

export interface ServerTables {
  ID: string;
  Name: string;
  Address: string;
  Leader: boolean;
  Tables?: Record<string, string> | null;
  Error?: string;
}

export interface Service {
  Name: string;
  Provider: string;
  PortLabel: string;
  AddressMode: string;
  Address: string;
  Tags: string[] | null;
  CanaryTags: string[] | null;
  EnableTagOverride: boolean;
  Checks: ServiceCheck[] | null;
  CheckRestart: CheckRestart | null;
  Connect: ConsulConnect | null;
  Meta: Record<string, string> | null;
  CanaryMeta: Record<string, string> | null;
  TaggedAddresses: Record<string, string> | null;
  TaskName: string;
  OnUpdate: string;
  Identity: WorkloadIdentity | null;
  Weights: ServiceWeights | null;
  Cluster: string;
  Kind: string;
}

export interface ServiceCheck {
  Name: string;
  Type: string;
  Command: string;
  Args: string[] | null;
  Path: string;
  Protocol: string;
  PortLabel: string;
  Expose: boolean;
  AddressMode: string;
  Advertise: string;
  Interval: number;
  Timeout: number;
  InitialStatus: string;
  Notes: string;
  TLSServerName: string;
  TLSSkipVerify: boolean;
  Header: Record<string, string[] | null> | null;
  Method: string;
  Body: string;
  CheckRestart: CheckRestart | null;
  GRPCService: string;
  GRPCUseTLS: boolean;
  TaskName: string;
  SuccessBeforePassing: number;
  FailuresBeforeCritical: number;
  FailuresBeforeWarning: number;
  OnUpdate: string;
}

export interface ServiceRegistration {
  ID: string;
  ServiceName: string;
  Namespace: string;
  NodeID: string;
  Datacenter: string;
  JobID: string;
  AllocID: string;
  Tags: string[] | null;
  Address: string;
  Port: number;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ServiceWeights {
  Passing: number;
  Warning: number;
}

export interface Shortfall {
  Dimension: string;
  Unit?: string;
  Has: number;
  Free: number;
  Asked: number;
  Missing: number;
  HeldBy?: string[] | null;
}

export interface SidecarTask {
  Name: string;
  Driver: string;
  User: string;
  Config: Record<string, unknown> | null;
  Env: Record<string, string> | null;
  Resources: Resources | null;
  Meta: Record<string, string> | null;
  KillTimeout: number;
  LogConfig: LogConfig | null;
  ShutdownDelay: number;
  KillSignal: string;
  VolumeMounts: VolumeMount[] | null;
  Identities: WorkloadIdentity[] | null;
}

export interface Spread {
  Attribute: string;
  Weight: number;
  SpreadTarget: SpreadTarget[] | null;
}

export interface SpreadTarget {
  Value: string;
  Percent: number;
}

export interface StatValue {
  FloatNumeratorVal?: number | null;
  FloatDenominatorVal?: number | null;
  IntNumeratorVal?: number | null;
  IntDenominatorVal?: number | null;
  StringVal?: string | null;
  BoolVal?: boolean | null;
  Unit?: string;
  Desc?: string;
}

export interface StateVerification {
  Index: number;
  Agree: boolean;
  Differ: string[] | null;
  Servers: ServerTables[] | null;
}

export interface Task {
  Name: string;
  Driver: string;
  User: string;
  Lifecycle: TaskLifecycle | null;
  Config: Record<string, unknown> | null;
  Env: Record<string, string> | null;
  Meta: Record<string, string> | null;
  Constraints: Constraint[] | null;
  Affinities: Affinity[] | null;
  Resources: Resources | null;
  RestartPolicy: RestartPolicy | null;
  LogConfig: LogConfig | null;
  Services: Service[] | null;
  Artifacts: TaskArtifact[] | null;
  Templates: Template[] | null;
  VolumeMounts: VolumeMount[] | null;
  CSIPluginConfig?: TaskCSIPluginConfig | null;
  Vault: Vault | null;
  Consul: Consul | null;
  Identity: WorkloadIdentity | null;
  Identities: WorkloadIdentity[] | null;
  Secrets: Secret[] | null;
  Actions: Action[] | null;
  Schedule: TaskSchedule | null;
  DispatchPayload: DispatchPayloadConfig | null;
  ScalingPolicies: ScalingPolicy[] | null;
  Leader: boolean;
  KillTimeout: number;
  KillSignal: string;
  ShutdownDelay: number;
  Kind: string;
}

export interface TaskArtifact {
  GetterSource: string;
  GetterOptions: Record<string, string> | null;
  GetterHeaders: Record<string, string> | null;
  GetterMode: string;
  GetterInsecure: boolean;
  RelativeDest: string;
  Chown: boolean;
}

export interface TaskCSIPluginConfig {
  ID: string;
  Type: string;
  MountDir: string;
  StagePublishBaseDir: string;
  HealthTimeout: number;
}

export interface TaskDiff {
  Type: string;
  Name: string;
  Fields: FieldDiff[] | null;
  Objects: ObjectDiff[] | null;
  Annotations: string[] | null;
}

export interface TaskEvent {
  Type: string;
  Time: number;
  DisplayMessage: string;
  Details: Record<string, string> | null;
  Message: string;
  FailsTask: boolean;
  RestartReason: string;
  SetupError: string;
  DriverError: string;
  DriverMessage: string;
  ExitCode: number;
  Signal: number;
  KillReason: string;
  KillTimeout: number;
  KillError: string;
  StartDelay: number;
  DownloadError: string;
  ValidationError: string;
  DiskLimit: number;
  DiskSize: number;
  FailedSibling: string;
  VaultError: string;
  TaskSignalReason: string;
  TaskSignal: string;
  GenericSource: string;
}

export interface TaskGroup {
  Name: string;
  Count: number;
  AllAtOnce?: boolean;
  Constraints: Constraint[] | null;
  Affinities: Affinity[] | null;
  Spreads: Spread[] | null;
  Tasks: Task[] | null;
  Networks: NetworkResource[] | null;
  Services: Service[] | null;
  Volumes: Record<string, VolumeRequest> | null;
  RestartPolicy: RestartPolicy | null;
  ReschedulePolicy: ReschedulePolicy | null;
  Disconnect: DisconnectStrategy | null;
  EphemeralDisk: EphemeralDisk | null;
  Update: UpdateStrategy | null;
  Migrate: MigrateStrategy | null;
  Scaling: ScalingPolicy | null;
  Consul: Consul | null;
  Meta: Record<string, string> | null;
  ShutdownDelay: number;
  MaxRunDuration: number;
  StopAfterClientDisconnect: number;
  MaxClientDisconnect: number;
  PreventRescheduleOnLost: boolean;
}

export interface TaskGroupDiff {
  Type: string;
  Name: string;
  Fields: FieldDiff[] | null;
  Objects: ObjectDiff[] | null;
  Tasks: TaskDiff[] | null;
  Updates: Record<string, number> | null;
}

export interface TaskGroupScaleStatus {
  Desired: number;
  Placed: number;
  Running: number;
  Healthy: number;
  Unhealthy: number;
  Events: ScalingEvent[] | null;
}

export interface TaskGroupSummary {
  Queued: number;
  Complete: number;
  Failed: number;
  Running: number;
  Starting: number;
  Lost: number;
  Unknown: number;
}

export interface TaskLifecycle {
  Hook: string;
  Sidecar: boolean;
}

export interface TaskResourceUsage {
  ResourceUsage: ResourceUsage | null;
  Timestamp: number;
  Pids: Record<string, ResourceUsage> | null;
}

export interface TaskSchedule {
  Cron: TaskScheduleCron | null;
}

export interface TaskScheduleCron {
  Start: string;
  End: string;
  Timezone: string;
}

export interface TaskState {
  State: string;
  Failed: boolean;
  Restarts: number;
  LastRestart: string;
  StartedAt: string;
  FinishedAt: string;
  Events: TaskEvent[] | null;
  Suspended?: boolean;
}

export interface Template {
  SourcePath: string;
  DestPath: string;
  EmbeddedTmpl: string;
  ChangeMode: string;
  ChangeScript: ChangeScript | null;
  ChangeSignal: string;
  Once: boolean;
  Splay: number;
  Perms: string;
  Uid: number | null;
  Gid: number | null;
  LeftDelim: string;
  RightDelim: string;
  Envvars: boolean;
  VaultGrace: number;
  Wait: WaitConfig | null;
  ErrMissingKey: boolean;
}

export interface UpdateStrategy {
  Stagger: number;
  MaxParallel: number;
  HealthCheck: string;
  MinHealthyTime: number;
  HealthyDeadline: number;
  ProgressDeadline: number;
  Canary: number;
  AutoRevert: boolean;
  AutoPromote: boolean;
}

export interface Vault {
  Role: string;
  Policies: string[] | null;
  Namespace: string;
  Cluster: string;
  Env: boolean;
  DisableFile: boolean;
  ChangeMode: string;
  ChangeSignal: string;
  AllowTokenExpiration: boolean;
}

export interface VolumeMount {
  Volume: string;
  Destination: string;
  ReadOnly: boolean;
  PropagationMode: string;
  SELinuxLabel: string;
}

export interface VolumeRequest {
  Name: string;
  Type: string;
  Source: string;
  ReadOnly: boolean;
  Sticky: boolean;
  PerAlloc: boolean;
  AccessMode: string;
  AttachmentMode: string;
  MountOptions: CSIMountOptions | null;
}

export interface WaitConfig {
  Min: number;
  Max: number;
}

export interface WorkloadIdentity {
  Name: string;
  Audience: string[] | null;
  ChangeMode: string;
  ChangeSignal: string;
  Env: boolean;
  File: boolean;
  Filepath: string;
  ServiceName: string;
  TTL: number;
  ExtraClaims: string[] | null;
}

export interface Operations {
  "Jobs.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; meta?: boolean }; body: undefined; response: JobListStub[] };
  "Jobs.Register": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Job?: Job | null;
    Submission?: JobSubmission | null;
    EnforceIndex?: boolean;
    JobModifyIndex?: number;
    PolicyOverride?: boolean;
    PreserveCounts?: boolean;
    PreserveResources?: boolean;
    EvalPriority?: number;
  }; response: JobRegisterResponse };
  "Jobs.Parse": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    JobHCL?: string;
    Variables?: string;
    Canonicalize?: boolean;
  }; response: Job };
  "Jobs.Statuses": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: {
    Jobs?: NamespacedID[] | null;
    IncludeChildren?: boolean;
  }; response: JobStatus[] };
  "Job.Validate": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: {
    Job?: Job | null;
  }; response: JobValidateResponse };
  "Job.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Job };
  "Job.Update": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Job?: Job | null;
    Submission?: JobSubmission | null;
    EnforceIndex?: boolean;
    JobModifyIndex?: number;
    PolicyOverride?: boolean;
    PreserveCounts?: boolean;
    PreserveResources?: boolean;
    EvalPriority?: number;
  }; response: JobRegisterResponse };
  "Job.Deregister": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string; purge?: boolean; global?: boolean; eval_priority?: number; no_shutdown_delay?: boolean }; body: undefined; response: JobDeregisterResponse };
  "Job.Versions": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; diffs?: boolean; diff_version?: string; diff_tag?: string }; body: undefined; response: JobVersionsResponse };
  "Job.Submission": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; version?: number }; body: undefined; response: JobSubmission };
  "Job.Allocations": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; all?: boolean }; body: undefined; response: AllocationListStub[] };
  "Job.Evaluations": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Evaluation[] };
  "Job.Deployments": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; all?: boolean }; body: undefined; response: Deployment[] };
  "Job.Deployment": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Deployment };
  "Job.Summary": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: JobSummary };
  "Job.Plan": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: {
    Job?: Job | null;
    Diff?: boolean;
    PolicyOverride?: boolean;
  }; response: JobPlanResponse };
  "Job.Evaluate": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    JobID?: string;
    EvalOptions?: EvalOptions;
  }; response: JobRegisterResponse };
  "Job.Revert": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    JobID?: string;
    JobVersion?: number;
    EnforcePriorVersion?: number | null;
  }; response: JobRegisterResponse };
  "Job.Stable": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    JobID?: string;
    JobVersion?: number;
    Stable?: boolean;
  }; response: JobStableResponse };
  "Job.ScaleStatus": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: JobScaleStatus };
  "Job.Scale": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Count?: number | null;
    Target?: Record<string, string> | null;
    Message?: string;
    Error?: boolean;
    Meta?: Record<string, unknown> | null;
    PolicyOverride?: boolean;
    JobModifyIndex?: number;
  }; response: JobRegisterResponse };
  "Job.Services": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ServiceRegistration[] };
  "Job.Actions": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: JobAction[] };
  "Job.ActionRun": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; action?: string; allocID?: string; group?: string; task?: string; tty?: boolean; ws_handshake?: boolean }; body: undefined; response: Response };
  "Job.Tag": { path: { id: string; tag: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Version?: number;
    Latest?: boolean;
    Description?: string;
  }; response: JobTagResponse };
  "Job.Untag": { path: { id: string; tag: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: JobTagResponse };
  "Job.Dispatch": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    JobID?: string;
    Payload?: string | null;
    Meta?: Record<string, string> | null;
    IdPrefixTemplate?: string;
    Priority?: number;
  }; response: JobDispatchResponse };
  "Job.DispatchPayload": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: Blob | string; response: JobDispatchResponse };
  "Job.PeriodicForce": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: JobPeriodicForceResponse };
  "Job.Why": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: JobWhy };
  "Allocation.Why": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: AllocWhy };
  "Jobs.Plan": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: {
    Jobs?: Job[] | null;
    Diff?: boolean;
    PolicyOverride?: boolean;
  }; response: JobsPlanResponse };
  "Allocations.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; resources?: boolean; task_states?: boolean }; body: undefined; response: AllocationListStub[] };
  "Allocation.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Allocation };
  "Allocation.Stop": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string; no_shutdown_delay?: boolean; reschedule?: boolean }; body: undefined; response: AllocationStopResponse };
  "Evaluations.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; job?: string; status?: string }; body: undefined; response: Evaluation[] };
  "Evaluations.Count": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; job?: string; status?: string }; body: undefined; response: CountResponse };
  "Evaluations.Delete": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    EvalIDs?: string[] | null;
    Filter?: string;
  }; response: CountResponse };
  "Evaluation.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; related?: boolean }; body: undefined; response: Evaluation };
  "Evaluation.Allocations": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: AllocationListStub[] };
  "Nodes.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; resources?: boolean; os?: boolean; meta?: boolean }; body: undefined; response: NodeListStub[] };
  "Nodes.Usage": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; allocations?: boolean }; body: undefined; response: NodeUsage[] };
  "Node.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Node };
  "Node.Allocations": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Allocation[] };
  "Node.Evaluate": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: NodeUpdateResponse };
  "Node.Eligibility": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    NodeID?: string;
    Eligibility?: string;
  }; response: NodeUpdateResponse };
  "Node.Drain": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    NodeID?: string;
    DrainSpec?: DrainSpec | null;
    MarkEligible?: boolean;
    Meta?: Record<string, string> | null;
  }; response: NodeUpdateResponse };
  "Node.Purge": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: NodeUpdateResponse };
  "NodePools.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: NodePool[] };
  "NodePool.Upsert": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: NodePool; response: {} };
  "NodePool.Write": { path: { name: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: NodePool; response: {} };
  "NodePool.Read": { path: { name: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: NodePool };
  "NodePool.Delete": { path: { name: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "NodePool.Nodes": { path: { name: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: NodeListStub[] };
  "NodePool.Jobs": { path: { name: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: JobListStub[] };
  "Deployments.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Deployment[] };
  "Deployment.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Deployment };
  "Deployment.Allocations": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: AllocationListStub[] };
  "Deployment.Promote": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    DeploymentID?: string;
    All?: boolean;
    Groups?: string[] | null;
  }; response: DeploymentUpdateResponse };
  "Deployment.Pause": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    DeploymentID?: string;
    Pause?: boolean;
  }; response: DeploymentUpdateResponse };
  "Deployment.Fail": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    DeploymentID?: string;
  }; response: DeploymentUpdateResponse };
  "Deployment.Unblock": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    DeploymentID?: string;
  }; response: DeploymentUpdateResponse };
  "Deployment.AllocationHealth": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    DeploymentID?: string;
    HealthyAllocationIDs?: string[] | null;
    UnhealthyAllocationIDs?: string[] | null;
  }; response: DeploymentUpdateResponse };
  "Namespaces.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Namespace[] };
  "Namespace.Upsert": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: Namespace; response: {} };
  "Namespace.Write": { path: { name: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: Namespace; response: {} };
  "Namespace.Read": { path: { name: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Namespace };
  "Namespace.Delete": { path: { name: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "ScalingPolicies.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; job?: string; type?: string }; body: undefined; response: ScalingPolicyListStub[] };
  "ScalingPolicy.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ScalingPolicy };
  "Search.Prefix": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: {
    Prefix?: string;
    Context?: string;
  }; response: SearchResponse };
  "Search.Fuzzy": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: {
    Text?: string;
    Context?: string;
  }; response: FuzzySearchResponse };
  "System.GC": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "System.ReconcileSummaries": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "Operator.SchedulerConfig": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: SchedulerConfigurationResponse };
  "Operator.SetSchedulerConfig": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; cas?: number }; body: SchedulerConfiguration; response: SchedulerSetConfigurationResponse };
  "Operator.RaftConfig": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: RaftConfiguration };
  "Operator.RaftPeerRemove": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; id?: string; address?: string }; body: undefined; response: {} };
  "Operator.RaftTransferLeadership": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; id?: string; address?: string }; body: undefined; response: {} };
  "Operator.RaftVerify": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: StateVerification };
  "Operator.NodeBrake": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: NodeBrake };
  "Operator.NodeBrakeRelease": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: NodeBrake };
  "Operator.AutopilotConfig": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: AutopilotConfiguration };
  "Operator.SetAutopilotConfig": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; cas?: number }; body: AutopilotConfiguration; response: boolean };
  "Operator.AutopilotHealth": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; always?: boolean }; body: undefined; response: AutopilotHealth };
  "CA.Read": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: CAResponse };
  "CA.Rotate": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: CAResponse };
  "CA.Retire": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Force?: boolean;
  }; response: CAResponse };
  "CA.Revoke": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Serial?: string;
    Name?: string;
  }; response: CARevokeResponse };
  "CA.Sign": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    CSR?: string | null;
    Days?: number;
  }; response: CASignResponse };
  "JoinToken.Create": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Role?: string;
    TTL?: number;
    Uses?: number;
  }; response: JoinTokenResponse };
  "JoinTokens.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: JoinToken[] };
  "JoinToken.Revoke": { path: { name: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "RootKeys.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: RootKeyMeta[] };
  "RootKey.Rotate": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; full?: boolean; algo?: string; publish_time?: number }; body: undefined; response: RootKeyRotateResponse };
  "RootKey.Delete": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string; force?: boolean }; body: undefined; response: {} };
  "Operator.SnapshotSave": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Response };
  "Operator.SnapshotRestore": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; force?: boolean }; body: undefined; response: Response };
  "Events.Stream": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; topic?: string[] }; body: undefined; response: Response };
  "ACL.Bootstrap": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    BootstrapSecret?: string;
  }; response: ACLTokenSecret };
  "ACLPolicies.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLPolicyListStub[] };
  "ACLPolicy.Self": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLPolicyListStub[] };
  "ACLPolicy.Read": { path: { name: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLPolicy };
  "ACLPolicy.Write": { path: { name: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: ACLPolicy; response: {} };
  "ACLPolicy.Delete": { path: { name: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "ACLTokens.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; global?: boolean }; body: undefined; response: ACLTokenListStub[] };
  "ACLToken.Create": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: ACLTokenSecret; response: ACLTokenSecret };
  "ACLToken.Self": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLTokenSecret };
  "ACLToken.Grants": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLGrants };
  "ACLToken.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLTokenSecret };
  "ACLToken.Update": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: ACLTokenSecret; response: ACLTokenSecret };
  "ACLToken.Delete": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "ACLToken.OneTime": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: OneTimeTokenResponse };
  "ACLToken.OneTimeExchange": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    OneTimeSecretID?: string;
  }; response: OneTimeTokenExchangeResponse };
  "ACLRoles.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLRole[] };
  "ACLRole.Create": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: ACLRole; response: ACLRole };
  "ACLRole.Read": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLRole };
  "ACLRole.ReadByName": { path: { name: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ACLRole };
  "ACLRole.Update": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: ACLRole; response: ACLRole };
  "ACLRole.Delete": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "Status.Leader": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: string };
  "Status.Peers": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: string[] };
  "Regions.List": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: string[] };
  "Agent.Self": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: AgentSelfResponse };
  "Agent.Members": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: ServerMembers };
  "Agent.Servers": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: string[] };
  "Agent.SetServers": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; address?: string[] }; body: undefined; response: {} };
  "Agent.Join": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; address?: string[] }; body: undefined; response: AgentJoinResponse };
  "Agent.ForceLeave": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string; node?: string; prune?: boolean }; body: undefined; response: {} };
  "Agent.KeyringList": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: KeyringResponse };
  "Agent.KeyringInstall": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Key?: string;
  }; response: KeyringResponse };
  "Agent.KeyringUse": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Key?: string;
  }; response: KeyringResponse };
  "Agent.KeyringRemove": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Key?: string;
  }; response: KeyringResponse };
  "Agent.KeyringDelete": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Key?: string;
  }; response: KeyringResponse };
  "Agent.Health": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; type?: string }; body: undefined; response: AgentHealthResponse };
  "Agent.Monitor": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; log_level?: string; log_json?: boolean; node_id?: string; server_id?: string; plain?: boolean }; body: undefined; response: Response };
  "Agent.Reload": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: undefined; response: {} };
  "Metrics.Read": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; format?: string }; body: undefined; response: Response };
  "Client.Stats": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; node_id?: string }; body: undefined; response: HostStats };
  "Client.GC": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; node_id?: string }; body: undefined; response: {} };
  "Client.MetaRead": { path: {}; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; node_id?: string }; body: undefined; response: NodeMetaResponse };
  "Client.MetaApply": { path: {}; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    NodeID?: string;
    Meta?: Record<string, string | null> | null;
  }; response: NodeMetaResponse };
  "Alloc.Restart": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    TaskName?: string;
    AllTasks?: boolean;
  }; response: {} };
  "Alloc.Signal": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Task?: string;
    Signal?: string;
  }; response: {} };
  "Alloc.Suspend": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Task?: string;
  }; response: {} };
  "Alloc.Resume": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Task?: string;
  }; response: {} };
  "Alloc.Checkpoint": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Task?: string;
  }; response: {} };
  "Alloc.Restore": { path: { id: string }; query: { region?: string; namespace?: string; idempotency_token?: string }; body: {
    Task?: string;
  }; response: {} };
  "Alloc.Stats": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; task?: string }; body: undefined; response: AllocResourceUsage };
  "Alloc.GC": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: {} };
  "Alloc.Snapshot": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean }; body: undefined; response: Response };
  "Alloc.Exec": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; task?: string; command?: string; tty?: boolean; ws_handshake?: boolean }; body: undefined; response: Response };
  "FS.List": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; path?: string }; body: undefined; response: AllocFileInfo[] };
  "FS.Stat": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; path?: string }; body: undefined; response: AllocFileInfo };
  "FS.Cat": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; path?: string }; body: undefined; response: Response };
  "FS.ReadAt": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; path?: string; offset?: number; limit?: number }; body: undefined; response: Response };
  "FS.Stream": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; path?: string; follow?: boolean; offset?: number; origin?: string; plain?: boolean }; body: undefined; response: Response };
  "FS.Logs": { path: { id: string }; query: { region?: string; namespace?: string; index?: number; wait?: string; stale?: boolean; consistent?: boolean; prefix?: string; filter?: string; per_page?: number; next_token?: string; reverse?: boolean; task?: string; type?: string; follow?: boolean; offset?: number; origin?: string; plain?: boolean }; body: undefined; response: Response };
}

export type OperationName = keyof Operations;

export const operations: { readonly [K in OperationName]: readonly [method: string, path: string, capability: string] } = {
  "Jobs.List": ["GET", "/v1/jobs", "list-jobs"],
  "Jobs.Register": ["PUT", "/v1/jobs", "submit-job | register-job"],
  "Jobs.Parse": ["PUT", "/v1/jobs/parse", "parse-job | submit-job"],
  "Jobs.Statuses": ["PUT", "/v1/jobs/statuses", "read-job"],
  "Job.Validate": ["PUT", "/v1/validate/job", "read-job"],
  "Job.Read": ["GET", "/v1/job/{id}", "read-job"],
  "Job.Update": ["PUT", "/v1/job/{id}", "submit-job | register-job"],
  "Job.Deregister": ["DELETE", "/v1/job/{id}", "submit-job | deregister-job | purge-job"],
  "Job.Versions": ["GET", "/v1/job/{id}/versions", "read-job"],
  "Job.Submission": ["GET", "/v1/job/{id}/submission", "read-job"],
  "Job.Allocations": ["GET", "/v1/job/{id}/allocations", "read-job"],
  "Job.Evaluations": ["GET", "/v1/job/{id}/evaluations", "read-job"],
  "Job.Deployments": ["GET", "/v1/job/{id}/deployments", "read-job"],
  "Job.Deployment": ["GET", "/v1/job/{id}/deployment", "read-job"],
  "Job.Summary": ["GET", "/v1/job/{id}/summary", "read-job"],
  "Job.Plan": ["PUT", "/v1/job/{id}/plan", "submit-job | plan-job"],
  "Job.Evaluate": ["PUT", "/v1/job/{id}/evaluate", "submit-job | evaluate-job"],
  "Job.Revert": ["PUT", "/v1/job/{id}/revert", "submit-job | revert-job"],
  "Job.Stable": ["PUT", "/v1/job/{id}/stable", "submit-job | stable-job"],
  "Job.ScaleStatus": ["GET", "/v1/job/{id}/scale", "read-job-scaling | read-job"],
  "Job.Scale": ["PUT", "/v1/job/{id}/scale", "scale-job | submit-job"],
  "Job.Services": ["GET", "/v1/job/{id}/services", "read-job"],
  "Job.Actions": ["GET", "/v1/job/{id}/actions", "read-job"],
  "Job.ActionRun": ["GET", "/v1/job/{id}/action", "alloc-exec"],
  "Job.Tag": ["PUT", "/v1/job/{id}/versions/{tag}/tag", "submit-job | tag-job-version"],
  "Job.Untag": ["DELETE", "/v1/job/{id}/versions/{tag}/tag", "submit-job | tag-job-version"],
  "Job.Dispatch": ["PUT", "/v1/job/{id}/dispatch", "dispatch-job"],
  "Job.DispatchPayload": ["PUT", "/v1/job/{id}/dispatch/payload", "dispatch-job"],
  "Job.PeriodicForce": ["PUT", "/v1/job/{id}/periodic/force", "submit-job | dispatch-job | force-periodic-job"],
  "Job.Why": ["GET", "/v1/job/{id}/why", "read-job"],
  "Allocation.Why": ["GET", "/v1/allocation/{id}/why", "read-job"],
  "Jobs.Plan": ["PUT", "/v1/jobs/plan", "submit-job | plan-job"],
  "Allocations.List": ["GET", "/v1/allocations", "read-job"],
  "Allocation.Read": ["GET", "/v1/allocation/{id}", "read-job"],
  "Allocation.Stop": ["PUT", "/v1/allocation/{id}/stop", "alloc-lifecycle"],
  "Evaluations.List": ["GET", "/v1/evaluations", "read-job"],
  "Evaluations.Count": ["GET", "/v1/evaluations/count", "read-job"],
  "Evaluations.Delete": ["DELETE", "/v1/evaluations", "management"],
  "Evaluation.Read": ["GET", "/v1/evaluation/{id}", "read-job"],
  "Evaluation.Allocations": ["GET", "/v1/evaluation/{id}/allocations", "read-job"],
  "Nodes.List": ["GET", "/v1/nodes", "node:read"],
  "Nodes.Usage": ["GET", "/v1/nodes/usage", "node:read"],
  "Node.Read": ["GET", "/v1/node/{id}", "node:read"],
  "Node.Allocations": ["GET", "/v1/node/{id}/allocations", "node:read"],
  "Node.Evaluate": ["PUT", "/v1/node/{id}/evaluate", "node:write"],
  "Node.Eligibility": ["PUT", "/v1/node/{id}/eligibility", "node:write"],
  "Node.Drain": ["PUT", "/v1/node/{id}/drain", "node:write"],
  "Node.Purge": ["PUT", "/v1/node/{id}/purge", "node:write"],
  "NodePools.List": ["GET", "/v1/node/pools", "filter node_pool:read"],
  "NodePool.Upsert": ["PUT", "/v1/node/pools", "node_pool:write"],
  "NodePool.Write": ["PUT", "/v1/node/pool/{name}", "node_pool:write"],
  "NodePool.Read": ["GET", "/v1/node/pool/{name}", "node_pool:read"],
  "NodePool.Delete": ["DELETE", "/v1/node/pool/{name}", "node_pool:delete"],
  "NodePool.Nodes": ["GET", "/v1/node/pool/{name}/nodes", "node:read & node_pool:read"],
  "NodePool.Jobs": ["GET", "/v1/node/pool/{name}/jobs", "list-jobs & node_pool:read"],
  "Deployments.List": ["GET", "/v1/deployments", "read-job"],
  "Deployment.Read": ["GET", "/v1/deployment/{id}", "read-job"],
  "Deployment.Allocations": ["GET", "/v1/deployment/allocations/{id}", "read-job"],
  "Deployment.Promote": ["PUT", "/v1/deployment/promote/{id}", "submit-job | promote-deployment"],
  "Deployment.Pause": ["PUT", "/v1/deployment/pause/{id}", "submit-job | pause-deployment"],
  "Deployment.Fail": ["PUT", "/v1/deployment/fail/{id}", "submit-job | fail-deployment"],
  "Deployment.Unblock": ["PUT", "/v1/deployment/unblock/{id}", "submit-job | unblock-deployment"],
  "Deployment.AllocationHealth": ["PUT", "/v1/deployment/allocation-health/{id}", "submit-job | set-alloc-health-deployment"],
  "Namespaces.List": ["GET", "/v1/namespaces", "filter"],
  "Namespace.Upsert": ["PUT", "/v1/namespace", "management"],
  "Namespace.Write": ["PUT", "/v1/namespace/{name}", "management"],
  "Namespace.Read": ["GET", "/v1/namespace/{name}", "any"],
  "Namespace.Delete": ["DELETE", "/v1/namespace/{name}", "management"],
  "ScalingPolicies.List": ["GET", "/v1/scaling/policies", "list-scaling-policies | read-job & list-jobs"],
  "ScalingPolicy.Read": ["GET", "/v1/scaling/policy/{id}", "read-scaling-policy"],
  "Search.Prefix": ["PUT", "/v1/search", "filter"],
  "Search.Fuzzy": ["PUT", "/v1/search/fuzzy", "filter"],
  "System.GC": ["PUT", "/v1/system/gc", "management"],
  "System.ReconcileSummaries": ["PUT", "/v1/system/reconcile/summaries", "management"],
  "Operator.SchedulerConfig": ["GET", "/v1/operator/scheduler/configuration", "operator:read"],
  "Operator.SetSchedulerConfig": ["PUT", "/v1/operator/scheduler/configuration", "operator:write"],
  "Operator.RaftConfig": ["GET", "/v1/operator/raft/configuration", "management"],
  "Operator.RaftPeerRemove": ["DELETE", "/v1/operator/raft/peer", "management"],
  "Operator.RaftTransferLeadership": ["PUT", "/v1/operator/raft/transfer-leadership", "management"],
  "Operator.RaftVerify": ["GET", "/v1/operator/raft/verify", "operator:read"],
  "Operator.NodeBrake": ["GET", "/v1/operator/node-brake", "operator:read"],
  "Operator.NodeBrakeRelease": ["PUT", "/v1/operator/node-brake/release", "operator:write"],
  "Operator.AutopilotConfig": ["GET", "/v1/operator/autopilot/configuration", "operator:read"],
  "Operator.SetAutopilotConfig": ["PUT", "/v1/operator/autopilot/configuration", "operator:write"],
  "Operator.AutopilotHealth": ["GET", "/v1/operator/autopilot/health", "operator:read"],
  "CA.Read": ["GET", "/v1/operator/ca", "management"],
  "CA.Rotate": ["PUT", "/v1/operator/ca/rotate", "management"],
  "CA.Retire": ["PUT", "/v1/operator/ca/retire", "management"],
  "CA.Revoke": ["PUT", "/v1/operator/ca/revoke", "management"],
  "CA.Sign": ["PUT", "/v1/operator/ca/sign", "management"],
  "JoinToken.Create": ["PUT", "/v1/operator/join-token", "management"],
  "JoinTokens.List": ["GET", "/v1/operator/join-tokens", "management"],
  "JoinToken.Revoke": ["DELETE", "/v1/operator/join-token/{name}", "management"],
  "RootKeys.List": ["GET", "/v1/operator/keyring/keys", "operator:keyring-read"],
  "RootKey.Rotate": ["PUT", "/v1/operator/keyring/rotate", "operator:keyring-rotate"],
  "RootKey.Delete": ["DELETE", "/v1/operator/keyring/key/{id}", "operator:keyring-delete"],
  "Operator.SnapshotSave": ["GET", "/v1/operator/snapshot", "operator:snapshot-save"],
  "Operator.SnapshotRestore": ["PUT", "/v1/operator/snapshot", "management"],
  "Events.Stream": ["GET", "/v1/event/stream", "filter"],
  "ACL.Bootstrap": ["PUT", "/v1/acl/bootstrap", ""],
  "ACLPolicies.List": ["GET", "/v1/acl/policies", "token"],
  "ACLPolicy.Self": ["GET", "/v1/acl/policy/self", "token"],
  "ACLPolicy.Read": ["GET", "/v1/acl/policy/{name}", "token"],
  "ACLPolicy.Write": ["PUT", "/v1/acl/policy/{name}", "management"],
  "ACLPolicy.Delete": ["DELETE", "/v1/acl/policy/{name}", "management"],
  "ACLTokens.List": ["GET", "/v1/acl/tokens", "management"],
  "ACLToken.Create": ["PUT", "/v1/acl/token", "management"],
  "ACLToken.Self": ["GET", "/v1/acl/token/self", "token"],
  "ACLToken.Grants": ["GET", "/v1/acl/token/self/grants", "filter"],
  "ACLToken.Read": ["GET", "/v1/acl/token/{id}", "token"],
  "ACLToken.Update": ["PUT", "/v1/acl/token/{id}", "management"],
  "ACLToken.Delete": ["DELETE", "/v1/acl/token/{id}", "management"],
  "ACLToken.OneTime": ["PUT", "/v1/acl/token/onetime", "token"],
  "ACLToken.OneTimeExchange": ["PUT", "/v1/acl/token/onetime/exchange", ""],
  "ACLRoles.List": ["GET", "/v1/acl/roles", "token"],
  "ACLRole.Create": ["PUT", "/v1/acl/role", "management"],
  "ACLRole.Read": ["GET", "/v1/acl/role/{id}", "token"],
  "ACLRole.ReadByName": ["GET", "/v1/acl/role/name/{name}", "token"],
  "ACLRole.Update": ["PUT", "/v1/acl/role/{id}", "management"],
  "ACLRole.Delete": ["DELETE", "/v1/acl/role/{id}", "management"],
  "Status.Leader": ["GET", "/v1/status/leader", ""],
  "Status.Peers": ["GET", "/v1/status/peers", ""],
  "Regions.List": ["GET", "/v1/regions", ""],
  "Agent.Self": ["GET", "/v1/agent/self", "agent:read"],
  "Agent.Members": ["GET", "/v1/agent/members", "node:read"],
  "Agent.Servers": ["GET", "/v1/agent/servers", "agent:read"],
  "Agent.SetServers": ["PUT", "/v1/agent/servers", "agent:write"],
  "Agent.Join": ["PUT", "/v1/agent/join", "agent:write"],
  "Agent.ForceLeave": ["PUT", "/v1/agent/force-leave", "agent:write"],
  "Agent.KeyringList": ["GET", "/v1/agent/keyring/list", "agent:write"],
  "Agent.KeyringInstall": ["PUT", "/v1/agent/keyring/install", "agent:write"],
  "Agent.KeyringUse": ["PUT", "/v1/agent/keyring/use", "agent:write"],
  "Agent.KeyringRemove": ["PUT", "/v1/agent/keyring/remove", "agent:write"],
  "Agent.KeyringDelete": ["DELETE", "/v1/agent/keyring/remove", "agent:write"],
  "Agent.Health": ["GET", "/v1/agent/health", ""],
  "Agent.Monitor": ["GET", "/v1/agent/monitor", "agent:read"],
  "Agent.Reload": ["PUT", "/v1/agent/reload", "agent:write"],
  "Metrics.Read": ["GET", "/v1/metrics", ""],
  "Client.Stats": ["GET", "/v1/client/stats", "node:read"],
  "Client.GC": ["GET", "/v1/client/gc", "node:write"],
  "Client.MetaRead": ["GET", "/v1/client/metadata", "node:read"],
  "Client.MetaApply": ["PUT", "/v1/client/metadata", "node:write"],
  "Alloc.Restart": ["PUT", "/v1/client/allocation/{id}/restart", "alloc-lifecycle"],
  "Alloc.Signal": ["PUT", "/v1/client/allocation/{id}/signal", "alloc-lifecycle"],
  "Alloc.Suspend": ["PUT", "/v1/client/allocation/{id}/suspend", "alloc-lifecycle"],
  "Alloc.Resume": ["PUT", "/v1/client/allocation/{id}/resume", "alloc-lifecycle"],
  "Alloc.Checkpoint": ["PUT", "/v1/client/allocation/{id}/checkpoint", "alloc-lifecycle"],
  "Alloc.Restore": ["PUT", "/v1/client/allocation/{id}/restore", "alloc-lifecycle"],
  "Alloc.Stats": ["GET", "/v1/client/allocation/{id}/stats", "read-job"],
  "Alloc.GC": ["GET", "/v1/client/allocation/{id}/gc", "submit-job | gc-allocation"],
  "Alloc.Snapshot": ["GET", "/v1/client/allocation/{id}/snapshot", "read-fs"],
  "Alloc.Exec": ["GET", "/v1/client/allocation/{id}/exec", "alloc-exec"],
  "FS.List": ["GET", "/v1/client/fs/ls/{id}", "read-fs"],
  "FS.Stat": ["GET", "/v1/client/fs/stat/{id}", "read-fs"],
  "FS.Cat": ["GET", "/v1/client/fs/cat/{id}", "read-fs"],
  "FS.ReadAt": ["GET", "/v1/client/fs/readat/{id}", "read-fs"],
  "FS.Stream": ["GET", "/v1/client/fs/stream/{id}", "read-fs"],
  "FS.Logs": ["GET", "/v1/client/fs/logs/{id}", "read-logs | read-fs"],
};
