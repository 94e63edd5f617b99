package command

import "github.com/seraihq/serai/command/cli"

// root lists every command.
func root() *cli.Command {
	top := []*cli.Command{
		group("job", "Run, change and look at jobs",
			jobRun(), jobPlan(), jobWhy(), jobStatus(), jobStop(), jobStart(), jobRestart(), jobInspect(), jobHistory(), jobRevert(), jobPromote(),
			jobValidate(), jobInit(), jobAllocs(), jobDeployments(), jobEval(), jobScale(), jobScalingEvents(), jobDispatch(), jobAction(),
			group("periodic", "Act on periodic jobs", jobPeriodicForce()),
			group("tag", "Name versions of a job", jobTagApply(), jobTagUnset()),
		),
		group("alloc", "Look at allocations and act on their tasks", append([]*cli.Command{
			allocStatus(), allocWhy(), allocLogs(), allocExec(), allocFS(), allocRestart(), allocSignal(), allocSuspend(), allocResume(), allocCheckpoint(), allocRestore(), allocStop(),
		}, refused("checks", "pause")...)...),
		group("eval", "Look at evaluations", evalList(), evalStatus(), evalDelete()),
		group("deployment", "Look at deployments and act on them", deploymentList(), deploymentStatus(), deploymentPromote(),
			deploymentPause(), deploymentResume(), deploymentFail(), deploymentUnblock()),
		nodeGroup(),
		group("namespace", "Separate jobs of different owners", namespaceList(), namespaceRead("status", "Show a namespace", false),
			namespaceRead("inspect", "Show a namespace as JSON", true), namespaceApply(), namespaceDelete()),
		group("server", "Look at the servers", serverMembers(), serverJoin(), serverForceLeave()),
		group("scaling", "Look at scaling", group("policy", "Look at scaling policies", scalingPolicyList(), scalingPolicyInfo())),
		operatorGroup(), caGroup(), joinTokenGroup(), aclGroup(), tlsGroup(),
		group("system", "Act on the whole cluster", systemGC(), group("reconcile", "Bring derived state up to date", systemReconcileSummaries())),
		group("config", "Check configuration", configValidate()),
		initCommand(), joinCommand(), agentCommand(), agentInfo(), doctorCommand(), status(), monitor(), ui(), simCommand(), versionCommand(), completion(), format(),
	}
	top = append(top, shortcuts()...)
	top = append(top, refused(notBuilt...)...)
	return &cli.Command{
		Name: Name, Commands: top,
		Help: "serai runs jobs: services, batch work and system tasks, on one machine or many. It reads Nomad's job files and answers Nomad's HTTP API.\n\n" +
			"  serai agent -dev                start an agent to try things out\n" +
			"  serai job init                  write an example of a job file\n" +
			"  serai job run FILE              run it and follow it\n" +
			"  serai status                    what runs\n" +
			"  serai alloc logs -f ALLOCATION  what it writes",
	}
}

// group makes a command of the commands below it.
func group(name, synopsis string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{Name: name, Synopsis: synopsis, Commands: commands}
}

func nodeGroup() *cli.Command {
	return group("node", "Look at nodes and act on them", append([]*cli.Command{
		nodeStatus(), nodeDrain(), nodeEligibility(), nodePurge(),
		group("pool", "Divide nodes into pools", nodePoolList(), nodePoolInfo(), nodePoolApply(), nodePoolDelete(), nodePoolJobs(), nodePoolNodes(), nodePoolInit()),
		group("meta", "Look at the meta of a node and change it", nodeMetaRead(), nodeMetaApply()),
	}, refused("config", "identity", "intro")...)...)
}

func operatorGroup() *cli.Command {
	return group("operator", "Tools for operators", append([]*cli.Command{
		operatorAPI(), operatorMetrics(),
		group("scheduler", "Configure the scheduler", schedulerGetConfig(), schedulerSetConfig()),
		group("snapshot", "Save and restore the servers' state", append([]*cli.Command{snapshotSave(), snapshotRestore(), snapshotInspect(), snapshotAgent()}, refused("redact", "state")...)...),
		autopilotGroup(), gossipGroup(),
		group("raft", "Look at the servers of the cluster, and change them", append([]*cli.Command{raftListPeers(), raftRemovePeer(), raftTransfer(), raftVerify(), raftInfo(), raftState(), raftRecover()}, refused("logs", "migrate-backend")...)...),
		group("node-brake", "Look at the brake on giving up nodes, and release it", nodeBrakeStatus(), nodeBrakeRelease()),
		group("root", "The keys that sign the identities of tasks", group("keyring", "List them, make new ones, remove old ones", rootKeyringList(), rootKeyringRotate(), rootKeyringRemove())),
	}, refused("client-state", "debug", "utilization")...)...)
}

// shortcuts are the commands at the top that stand for others. The first line
// are the ones that people type; the others are Nomad's old names.
func shortcuts() []*cli.Command {
	list := []*cli.Command{jobRun(), jobPlan(), jobStop(), jobStart(), jobInspect(), jobValidate(), allocLogs(), allocExec(), allocFS(), jobAction()}
	for _, c := range list {
		parent := "job "
		switch c.Name {
		case "logs", "exec", "fs":
			parent = "alloc "
		}
		c.Synopsis = "Short for \"" + parent + c.Name + "\""
	}
	for name, c := range map[string]*cli.Command{
		"alloc-status": allocStatus(), "eval-status": evalStatus(), "node-status": nodeStatus(), "node-drain": nodeDrain(), "server-members": serverMembers(), "server-join": serverJoin(), "server-force-leave": serverForceLeave(),
	} {
		c.Name, c.Hidden = name, true
		list = append(list, c)
	}
	return list
}
