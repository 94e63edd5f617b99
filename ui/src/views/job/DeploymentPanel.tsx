// One deployment: how far it is, and what can be done about it.
import { useState } from "react";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { useAct } from "../../api/query";
import type { Deployment, DeploymentState, Job } from "../../api/types.gen";
import { ID, Panel, Time } from "../../components/Basics";
import { Confirm } from "../../components/Dialog";
import { Badge, Name, Tag } from "../../components/Status";
import { toast } from "../../components/Toast";
import { deploymentState } from "../../lib/status";
import { at } from "../../lib/time";

export const finished = (d: Deployment): boolean => ["successful", "failed", "cancelled"].includes(d.Status);

export function DeploymentPanel({ deployment: d, job }: { deployment: Deployment; job: Job }) {
  const groups = Object.entries(d.TaskGroups ?? {});
  return (
    <Panel
      title={<span className="row">Deployment of version {d.JobVersion} <Badge state={deploymentState(d.Status)} boxed /></span>}
      actions={!finished(d) && <DeploymentActions d={d} job={job} />}
    >
      <div className="stack tight">
        <div className="row wrap dim">
          <span>{d.StatusDescription}</span>
          <ID id={d.ID} />
          <span>
            begun <Time at={d.CreateTime} />
          </span>
        </div>
        {groups.map(([name, g]) => (
          <Group key={name} name={name} g={g} active={!finished(d)} />
        ))}
      </div>
    </Panel>
  );
}

function Group({ name, g, active }: { name: string; g: DeploymentState; active: boolean }) {
  const pending = Math.max(0, g.PlacedAllocs - g.HealthyAllocs - g.UnhealthyAllocs);
  const rest = Math.max(0, g.DesiredTotal - g.PlacedAllocs);
  const text = `${g.HealthyAllocs} of ${g.DesiredTotal} healthy`;
  const canaries = g.DesiredCanaries > 0;
  return (
    <div className="deployment-group">
      <div className="row wrap">
        <b><Name>{name}</Name></b>
        <span className="num dim">{text}</span>
        {g.UnhealthyAllocs > 0 && <Tag tone="bad">{g.UnhealthyAllocs} unhealthy</Tag>}
        {canaries && (g.Promoted ? <Tag tone="ok">promoted</Tag> : <Tag tone="note">{(g.PlacedCanaries ?? []).length} of {g.DesiredCanaries} canaries placed</Tag>)}
        {g.AutoRevert && <Tag>reverts by itself</Tag>}
        {g.AutoPromote && <Tag>promotes by itself</Tag>}
        <span className="grow" />
        {active && at(g.RequireProgressBy) !== undefined && (
          <span className="dim">
            must go on <Time at={g.RequireProgressBy} />
          </span>
        )}
      </div>
      <span className="bar" role="img" aria-label={text}>
        {g.HealthyAllocs > 0 && <i className="tone-ok" style={{ flexGrow: g.HealthyAllocs }} />}
        {pending > 0 && <i className="tone-busy" style={{ flexGrow: pending }} />}
        {g.UnhealthyAllocs > 0 && <i className="tone-bad" style={{ flexGrow: g.UnhealthyAllocs }} />}
        {rest > 0 && <i className="rest" style={{ flexGrow: rest }} />}
      </span>
    </div>
  );
}

function DeploymentActions({ d, job }: { d: Deployment; job: Job }) {
  const [failing, setFailing] = useState(false);
  const may = useMay();
  const where = { namespace: job.Namespace };
  const groups = Object.values(d.TaskGroups ?? {});
  const waits = groups.some((g) => g.DesiredCanaries > 0 && !g.Promoted);
  const promote = useAct(() => call("Deployment.Promote", { id: d.ID }, { DeploymentID: d.ID, All: true, Groups: null }), () => "The canaries are promoted.");
  const pause = useAct((p: boolean) => call("Deployment.Pause", { id: d.ID }, { DeploymentID: d.ID, Pause: p }), (_, p) => (p ? "The deployment is paused." : "The deployment goes on."));
  const fail = async (): Promise<void> => {
    const r = await call("Deployment.Fail", { id: d.ID }, { DeploymentID: d.ID });
    toast(r.RevertedJobVersion === null || r.RevertedJobVersion === undefined ? "The deployment is marked as failed." : `The deployment is marked as failed; the job goes back to version ${r.RevertedJobVersion}.`);
  };
  const reverts = groups.some((g) => g.AutoRevert);
  return (
    <span className="row">
      {waits && may("Deployment.Promote", where) && (
        <button type="button" className="button small primary" disabled={promote.isPending} onClick={() => promote.mutate()}>
          Promote canaries
        </button>
      )}
      {may("Deployment.Pause", where) && (
        <button type="button" className="button small" disabled={pause.isPending} onClick={() => pause.mutate(d.Status !== "paused")}>
          {d.Status === "paused" ? "Resume" : "Pause"}
        </button>
      )}
      {may("Deployment.Fail", where) && (
        <button type="button" className="button small danger" onClick={() => setFailing(true)}>
          Fail…
        </button>
      )}
      {failing && (
        <Confirm title="Fail this deployment?" label="Fail deployment" danger act={fail} onClose={() => setFailing(false)}>
          <p>
            The deployment of version {d.JobVersion} of <b><Name>{job.Name}</Name></b> ends as failed.{" "}
            {reverts ? "The job goes back to its last stable version." : "What is placed of it stays; the job keeps this version until you change it."}
            {waits && " Canaries are stopped."}
          </p>
        </Confirm>
      )}
    </span>
  );
}
