import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { useAct, useRead } from "../../api/query";
import type { AllocationListStub, Job, JobSummary, TaskGroup } from "../../api/types.gen";
import { Empty, Panel, Shown } from "../../components/Basics";
import { Icon } from "../../components/Icon";
import { allocationLink, jobLink } from "../../components/Links";
import { Legend, Name, StatusBar } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { count, mebibytes, megahertz, plural, safeURL, visible } from "../../lib/format";
import { allocationState, sum } from "../../lib/status";
import { AllocationsTable } from "../allocations/AllocationsTable";
import { WhyCallout } from "../why/WhyCallout";
import { Children } from "./Children";
import { DeploymentPanel } from "./DeploymentPanel";

export function JobOverview({ job, summary }: { job: Job; summary: JobSummary | undefined }) {
  const parent = job.Periodic !== null || (job.ParameterizedJob !== null && !job.Dispatched);
  if (parent) return <Children job={job} />;
  return <Running job={job} summary={summary} />;
}

function Running({ job, summary }: { job: Job; summary: JobSummary | undefined }) {
  const where = { id: job.ID, namespace: job.Namespace };
  const allocations = useRead("Job.Allocations", where);
  const deployments = useRead("Job.Deployments", where, { enabled: job.Type === "service" || job.Type === "system" });
  const counts = sum(summary?.Summary);
  const latest = deployments.data?.toSorted((a, b) => b.CreateIndex - a.CreateIndex)[0];
  const active = latest !== undefined && !["successful", "failed", "cancelled"].includes(latest.Status);
  const trouble = !job.Stop && (counts.queued > 0 || counts.failed > 0 || counts.lost > 0 || counts.unknown > 0);
  return (
    <>
      <About job={job} />
      {trouble && <WhyCallout namespace={job.Namespace} id={job.ID} />}
      {active && <DeploymentPanel deployment={latest} job={job} />}
      <Panel title="Status">
        <div className="stack tight">
          <StatusBar counts={counts} thick past={job.Stop || job.Status === "dead"} />
          <Legend counts={counts} />
          <Shown read={allocations} what="allocations" lines={1}>
            {(list) => <Squares allocations={list} />}
          </Shown>
        </div>
      </Panel>
      <Groups job={job} summary={summary} />
      <Panel title="Latest allocations" flush actions={<Link {...jobLink(job.Namespace, job.ID, { tab: "allocations" })} className="button plain small">All allocations</Link>}>
        <Shown read={allocations} what="allocations">
          {(list) => <AllocationsTable rows={list.toSorted((a, b) => b.CreateTime - a.CreateTime).slice(0, 10)} job={false} keys empty={<Empty icon="terminal" title="No allocations yet" />} />}
        </Shown>
      </Panel>
    </>
  );
}

/** What the job's author says of it. */
function About({ job }: { job: Job }) {
  const { Description: text = "", Links: links } = job.UI ?? {};
  if (text === "" && (links ?? []).length === 0) return null;
  return (
    <div className="about">
      {text !== "" && <p className="dim">{visible(text, 1000)}</p>}
      <div className="row wrap">
        {(links ?? []).slice(0, 20).map((l, i) => {
          const url = safeURL(l.URL);
          return url ? (
            <a key={i} className="link row" href={url} target="_blank" rel="noopener noreferrer">
              <Name>{l.Label}</Name>
              <Icon name="external" />
            </a>
          ) : (
            <Name key={i}>{`${l.Label}: ${l.URL}`}</Name>
          );
        })}
      </div>
    </div>
  );
}

/** At most so many allocations are shown as squares. */
const MAX_SQUARES = 600;

/** Every allocation that is not over, as a square. */
function Squares({ allocations }: { allocations: AllocationListStub[] }) {
  const alive = allocations.filter((a) => !["complete", "failed", "lost"].includes(a.ClientStatus) || a.DesiredStatus === "run").sort((a, b) => a.Name.localeCompare(b.Name, "en", { numeric: true }));
  if (alive.length === 0 || alive.length > MAX_SQUARES) return null;
  return (
    <div className="squares">
      {alive.map((a) => {
        const s = allocationState(a);
        return <Link key={a.ID} {...allocationLink(a.ID)} className={`square tone-${s.tone}${a.DeploymentStatus?.Canary ? " canary" : ""}`} title={`${a.Name}: ${s.text}${a.DeploymentStatus?.Canary ? ", canary" : ""}`} aria-label={`${a.Name}: ${s.text}`} />;
      })}
    </div>
  );
}

function Groups({ job, summary }: { job: Job; summary: JobSummary | undefined }) {
  const counted = job.Type === "service" || job.Type === "batch";
  const scales = useMay()("Job.Scale", { namespace: job.Namespace }) && counted;
  const columns: Column<TaskGroup>[] = [
    { id: "group", head: "Group", width: "minmax(100px, 1.5fr)", value: (g) => g.Name, cell: (g) => <Link {...jobLink(job.Namespace, job.ID, { tab: "allocations", group: g.Name })}><Name>{g.Name}</Name></Link> },
    { id: "count", head: "Count", width: scales ? "128px" : "60px", value: (g) => g.Count, cell: (g) => (scales ? <Scale job={job} group={g} /> : <span className="num">{counted ? g.Count : "each node"}</span>) },
    { id: "bar", head: "Allocations", width: "minmax(90px, 2fr)", cell: (g) => <StatusBar counts={sum({ [g.Name]: summary?.Summary?.[g.Name] ?? { Queued: 0, Complete: 0, Failed: 0, Running: 0, Starting: 0, Lost: 0, Unknown: 0 } })} /> },
    { id: "tasks", head: "Tasks", width: "minmax(90px, 1.5fr)", wide: true, value: (g) => (g.Tasks ?? []).map((t) => t.Name).join(" "), cell: (g) => <span className="dim"><Name>{(g.Tasks ?? []).map((t) => t.Name).join(", ")}</Name></span> },
    { id: "driver", head: "Drivers", width: "minmax(70px, 110px)", wide: true, value: drivers, cell: (g) => <span className="dim"><Name>{drivers(g)}</Name></span> },
    { id: "cpu", head: "CPU", width: "84px", right: true, wide: true, value: cpu, cell: (g) => <span className="dim">{megahertz(cpu(g))}</span> },
    { id: "memory", head: "Memory", width: "84px", right: true, wide: true, value: memory, cell: (g) => <span className="dim">{mebibytes(memory(g))}</span> },
  ];
  const groups = job.TaskGroups ?? [];
  return (
    <Panel title="Groups" count={count(groups.length)} flush>
      <Table name="groups" rows={groups} columns={columns} rowKey={(g) => g.Name} empty={<Empty title="The job has no groups" />} note={plural(groups.length, "group")} />
    </Panel>
  );
}

const drivers = (g: TaskGroup): string => [...new Set((g.Tasks ?? []).map((t) => t.Driver))].join(", ");
const cpu = (g: TaskGroup): number => (g.Tasks ?? []).reduce((n, t) => n + (t.Resources?.CPU ?? 0), 0);
const memory = (g: TaskGroup): number => (g.Tasks ?? []).reduce((n, t) => n + (t.Resources?.MemoryMB ?? 0), 0);

/** The count of a group, with buttons that change it. Clicks are gathered before they are sent. */
function Scale({ job, group }: { job: Job; group: TaskGroup }) {
  const [wanted, setWanted] = useState<number>();
  const scale = useAct(
    (n: number) => call("Job.Scale", { id: job.ID, namespace: job.Namespace }, { Count: n, Target: { Namespace: job.Namespace, Job: job.ID, Group: group.Name }, Message: "scaled in the web UI" }),
    (_, n) => `Group ${group.Name} is scaled to ${n}.`,
  );
  const shown = wanted ?? group.Count;
  const { Min: min, Max: max } = group.Scaling ?? { Min: null, Max: null };
  const step = (by: number): void => setWanted(Math.max(min ?? 0, Math.min(max ?? 1_000_000, shown + by)));
  const apply = (): void => {
    if (wanted !== undefined && wanted !== group.Count) scale.mutate(wanted, { onSettled: () => setWanted(undefined) });
    else setWanted(undefined);
  };
  if (job.Stop) return <span className="num">{group.Count}</span>;
  return (
    <span className="stepper">
      <button type="button" aria-label={`One less of ${group.Name}`} disabled={scale.isPending || shown <= (min ?? 0)} onClick={() => step(-1)}>−</button>
      <span className="num" aria-live="polite">{shown}</span>
      <button type="button" aria-label={`One more of ${group.Name}`} disabled={scale.isPending || (max !== null && shown >= max)} onClick={() => step(1)}>+</button>
      {wanted !== undefined && wanted !== group.Count && (
        <button type="button" className="button small primary" onClick={apply} disabled={scale.isPending}>Scale</button>
      )}
    </span>
  );
}

