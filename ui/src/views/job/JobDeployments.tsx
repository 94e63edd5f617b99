import { useRead } from "../../api/query";
import type { Job } from "../../api/types.gen";
import { Empty, Panel, Shown } from "../../components/Basics";
import { DeploymentPanel } from "./DeploymentPanel";

export function JobDeployments({ job }: { job: Job }) {
  const read = useRead("Job.Deployments", { id: job.ID, namespace: job.Namespace });
  return (
    <Shown read={read} what="deployments">
      {(list) =>
        list.length === 0 ? (
          <Panel>
            <Empty icon="jobs" title="No deployments">A service job is deployed in steps where its groups have an update block.</Empty>
          </Panel>
        ) : (
          list.toSorted((a, b) => b.CreateIndex - a.CreateIndex).slice(0, 50).map((d) => <DeploymentPanel key={d.ID} deployment={d} job={job} />)
        )
      }
    </Shown>
  );
}
