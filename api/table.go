package api

// Endpoints is the table of all operations, written out.
var Endpoints = []*Endpoint{
	JobsList.Endpoint, JobsRegister.Endpoint, JobsParse.Endpoint, JobsStatuses.Endpoint,
	JobValidate.Endpoint, JobRead.Endpoint, JobUpdate.Endpoint, JobDeregister.Endpoint,
	JobVersions.Endpoint, JobSubmissionOf.Endpoint, JobAllocations.Endpoint,
	JobEvaluations.Endpoint, JobDeployments.Endpoint, JobDeployment.Endpoint,
	JobSummaryOf.Endpoint, JobPlan.Endpoint, JobEvaluate.Endpoint, JobRevert.Endpoint,
	JobStable.Endpoint, JobScaleStatusOf.Endpoint, JobScale.Endpoint, JobServices.Endpoint,
	JobActions.Endpoint, JobActionRun.Endpoint, JobTag.Endpoint, JobUntag.Endpoint, JobDispatch.Endpoint, JobDispatchRaw.Endpoint, JobPeriodicForce.Endpoint,

	JobWhyOf.Endpoint, AllocationWhyOf.Endpoint, JobsPlan.Endpoint,

	AllocationsList.Endpoint, AllocationRead.Endpoint, AllocationStop.Endpoint,
	EvaluationsList.Endpoint, EvaluationsCount.Endpoint, EvaluationsDelete.Endpoint,
	EvaluationRead.Endpoint, EvaluationAllocations.Endpoint,
	NodesList.Endpoint, NodesUsage.Endpoint, NodeRead.Endpoint, NodeAllocations.Endpoint, NodeEvaluate.Endpoint,
	NodeEligibility.Endpoint, NodeDrain.Endpoint, NodePurge.Endpoint,
	NodePoolsList.Endpoint, NodePoolUpsert.Endpoint, NodePoolWrite.Endpoint, NodePoolRead.Endpoint,
	NodePoolDelete.Endpoint, NodePoolNodes.Endpoint, NodePoolJobs.Endpoint,
	DeploymentsList.Endpoint, DeploymentRead.Endpoint, DeploymentAllocations.Endpoint, DeploymentPromote.Endpoint,
	DeploymentPause.Endpoint, DeploymentFail.Endpoint, DeploymentUnblock.Endpoint, DeploymentHealth.Endpoint,
	NamespacesList.Endpoint, NamespaceUpsert.Endpoint, NamespaceWrite.Endpoint,
	NamespaceRead.Endpoint, NamespaceDelete.Endpoint,
	ScalingPoliciesList.Endpoint, ScalingPolicyRead.Endpoint,
	SearchPrefix.Endpoint, SearchFuzzy.Endpoint,
	SystemGC.Endpoint, SystemReconcileSummaries.Endpoint,
	SchedulerConfigRead.Endpoint, SchedulerConfigWrite.Endpoint, RaftConfigRead.Endpoint,
	RaftPeerRemove.Endpoint, RaftTransfer.Endpoint, RaftVerify.Endpoint, NodeBrakeRead.Endpoint, NodeBrakeRelease.Endpoint,
	AutopilotConfigRead.Endpoint, AutopilotConfigWrite.Endpoint, AutopilotHealthRead.Endpoint,
	CARead.Endpoint, CARotate.Endpoint, CARetire.Endpoint, CARevoke.Endpoint, CASign.Endpoint, JoinTokenCreate.Endpoint, JoinTokensList.Endpoint, JoinTokenRevoke.Endpoint, RootKeysList.Endpoint, RootKeyRotate.Endpoint, RootKeyDelete.Endpoint,
	SnapshotSave.Endpoint, SnapshotRestore.Endpoint, EventStream.Endpoint,

	ACLBootstrap.Endpoint, ACLPoliciesList.Endpoint, ACLPolicySelf.Endpoint, ACLPolicyRead.Endpoint, ACLPolicyWrite.Endpoint, ACLPolicyDelete.Endpoint,
	ACLTokensList.Endpoint, ACLTokenCreate.Endpoint, ACLTokenSelf.Endpoint, ACLTokenGrants.Endpoint, ACLTokenRead.Endpoint, ACLTokenUpdate.Endpoint, ACLTokenDelete.Endpoint,
	ACLOneTimeCreate.Endpoint, ACLOneTimeExchange.Endpoint,
	ACLRolesList.Endpoint, ACLRoleCreate.Endpoint, ACLRoleRead.Endpoint, ACLRoleReadByName.Endpoint, ACLRoleUpdate.Endpoint, ACLRoleDelete.Endpoint,

	StatusLeader.Endpoint, StatusPeers.Endpoint, RegionsList.Endpoint, AgentSelf.Endpoint,
	AgentMembers.Endpoint, AgentServers.Endpoint, AgentSetServers.Endpoint, AgentJoin.Endpoint, AgentForceLeave.Endpoint,
	AgentKeyringList.Endpoint, AgentKeyringInstall.Endpoint, AgentKeyringUse.Endpoint, AgentKeyringRemove.Endpoint, AgentKeyringDelete.Endpoint, AgentHealth.Endpoint, AgentMonitor.Endpoint,
	AgentReload.Endpoint, Metrics.Endpoint,
	ClientStats.Endpoint, ClientGC.Endpoint, ClientMetaRead.Endpoint, ClientMetaApply.Endpoint,
	AllocRestart.Endpoint, AllocSignal.Endpoint, AllocSuspend.Endpoint, AllocResume.Endpoint, AllocCheckpoint.Endpoint, AllocRestore.Endpoint, AllocStats.Endpoint, AllocGC.Endpoint,
	AllocSnapshot.Endpoint, AllocExec.Endpoint,
	FSList.Endpoint, FSStat.Endpoint, FSCat.Endpoint, FSReadAt.Endpoint, FSStream.Endpoint,
	FSLogs.Endpoint,
}
