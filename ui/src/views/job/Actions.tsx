// What can be done with a job. What ends something says first what that is.
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { useAct, useRead } from "../../api/query";
import type { Job, JobSummary } from "../../api/types.gen";
import { Confirm } from "../../components/Dialog";
import { Icon } from "../../components/Icon";
import { Menu, type MenuEntry } from "../../components/Menu";
import { Name } from "../../components/Status";
import { toast } from "../../components/Toast";
import { plural } from "../../lib/format";
import { sum } from "../../lib/status";
import { Dispatch } from "./Dispatch";

type Asked = "stop" | "purge" | "restart" | "dispatch" | undefined;

export function Actions({ job, summary }: { job: Job; summary: JobSummary | undefined }) {
  const [asked, setAsked] = useState<Asked>();
  const where = { id: job.ID, namespace: job.Namespace };
  const start = useAct(() => call("Jobs.Register", { namespace: job.Namespace }, { Job: { ...job, Stop: false } }), () => `Job ${job.Name} is started.`);
  const evaluate = useAct(() => call("Job.Evaluate", where, { JobID: job.ID, EvalOptions: { ForceReschedule: true } }), () => "The scheduler looks at the job again.");
  const force = useAct(() => call("Job.PeriodicForce", where), () => `Job ${job.Name} is launched now.`);
  const parameterized = job.ParameterizedJob !== null && !job.Dispatched;
  const allowed = useMay();
  const may = (op: Parameters<typeof allowed>[0]): boolean => allowed(op, { namespace: job.Namespace });
  const entries: MenuEntry[] = [];
  if (job.Periodic !== null && may("Job.PeriodicForce")) entries.push({ label: "Launch now", icon: "play", disabled: job.Stop, act: () => force.mutate() });
  if (parameterized && may("Job.Dispatch")) entries.push({ label: "Dispatch…", icon: "play", disabled: job.Stop, act: () => setAsked("dispatch") });
  if (job.Periodic === null && !parameterized) {
    if (may("Alloc.Restart")) entries.push({ label: "Restart allocations…", icon: "restart", disabled: job.Stop, act: () => setAsked("restart") });
    if (may("Job.Evaluate")) entries.push({ label: "Place failed allocations again", icon: "evaluations", disabled: job.Stop, act: () => evaluate.mutate() });
  }
  if (entries.length > 0 && may("Job.Deregister")) entries.push("line");
  if (job.Stop && may("Jobs.Register")) entries.push({ label: "Start", icon: "play", act: () => start.mutate() });
  if (!job.Stop && may("Job.Deregister")) entries.push({ label: "Stop…", icon: "stop", danger: true, act: () => setAsked("stop") });
  if (may("Job.Deregister")) entries.push({ label: "Purge…", icon: "trash", danger: true, act: () => setAsked("purge") });
  const close = (): void => setAsked(undefined);
  return (
    <>
      {job.Stop && may("Jobs.Register") && (
        <button type="button" className="button primary" disabled={start.isPending} onClick={() => start.mutate()}>
          <Icon name="play" />
          Start
        </button>
      )}
      {entries.length > 0 && (
        <Menu entries={entries}>
          <button type="button" className="button">
            Actions
            <Icon name="down" />
          </button>
        </Menu>
      )}
      {asked === "stop" && <Stop job={job} summary={summary} onClose={close} />}
      {asked === "purge" && <Purge job={job} summary={summary} onClose={close} />}
      {asked === "restart" && <Restart job={job} onClose={close} />}
      {asked === "dispatch" && <Dispatch job={job} onClose={close} />}
    </>
  );
}

const alive = (s: JobSummary | undefined): number => {
  const c = sum(s?.Summary);
  return c.running + c.starting + c.unknown;
};

function Ends({ job, summary }: { job: Job; summary: JobSummary | undefined }) {
  const children = summary?.Children;
  if (job.Periodic !== null) return <>It is not launched any more. {children && children.Running > 0 ? `${plural(children.Running, "child", "children")} that run now go on.` : ""}</>;
  if (job.ParameterizedJob !== null && !job.Dispatched) return <>It can no longer be dispatched. {children && children.Running > 0 ? `${plural(children.Running, "child", "children")} that run now go on.` : ""}</>;
  const n = alive(summary);
  return n === 0 ? <>Nothing of it runs now.</> : <>{plural(n, "allocation")} will be asked to end, and killed when the time that their tasks are given is over.</>;
}

function Stop({ job, summary, onClose }: { job: Job; summary: JobSummary | undefined; onClose: () => void }) {
  const stop = async (): Promise<void> => {
    await call("Job.Deregister", { id: job.ID, namespace: job.Namespace });
    toast(`Job ${job.Name} is stopped.`);
  };
  return (
    <Confirm title="Stop this job?" label="Stop job" danger act={stop} onClose={onClose}>
      <p>
        <b><Name>{job.Name}</Name></b> in namespace <Name>{job.Namespace}</Name> stops. <Ends job={job} summary={summary} />
      </p>
      <p className="dim">Its definition and history stay for as long as the garbage collection lets them. You can start it again.</p>
    </Confirm>
  );
}

function Purge({ job, summary, onClose }: { job: Job; summary: JobSummary | undefined; onClose: () => void }) {
  const navigate = useNavigate();
  const purge = async (): Promise<void> => {
    await call("Job.Deregister", { id: job.ID, namespace: job.Namespace, purge: true });
    toast(`Job ${job.Name} is purged.`);
    void navigate({ to: "/jobs" });
  };
  return (
    <Confirm title="Purge this job?" label="Purge job" danger typed={job.ID} act={purge} onClose={onClose}>
      <p>
        <b><Name>{job.Name}</Name></b> stops and is forgotten. <Ends job={job} summary={summary} />
      </p>
      <p>
        {job.Version === 0 ? "Its definition" : `All its ${job.Version + 1} versions`}, its deployments and its evaluations are removed. <b>This cannot be undone.</b>
      </p>
    </Confirm>
  );
}

function Restart({ job, onClose }: { job: Job; onClose: () => void }) {
  const read = useRead("Job.Allocations", { id: job.ID, namespace: job.Namespace });
  const running = (read.data ?? []).filter((a) => a.ClientStatus === "running" && a.DesiredStatus === "run");
  const restart = async (): Promise<void> => {
    // One after the other, so that not all of a service is away at the same time.
    for (const a of running) await call("Alloc.Restart", { id: a.ID }, { TaskName: "", AllTasks: false });
    toast(`${plural(running.length, "allocation")} restarted.`);
  };
  return (
    <Confirm title="Restart all allocations?" label="Restart" act={restart} onClose={onClose}>
      <p>
        The tasks of {plural(running.length, "running allocation")} are stopped and started again where they are, one allocation after the other. Nothing moves to another node.
      </p>
    </Confirm>
  );
}
