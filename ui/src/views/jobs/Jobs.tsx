import { Link, getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { useMay } from "../../api/may";
import { useRead } from "../../api/query";
import type { JobListStub } from "../../api/types.gen";
import { useNamespace } from "../../app/namespace";
import { Callout, Empty, Failure, PageHead, Panel, Skeleton, Time, useTitle } from "../../components/Basics";
import { Filter, isExpression } from "../../components/Filter";
import { Icon } from "../../components/Icon";
import { JobLink, jobLink } from "../../components/Links";
import { Badge, Name, StatusBar } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { jobState, sum } from "../../lib/status";
import { useLiveStatus } from "../../live/live";

const route = getRouteApi("/jobs");

const types = ["service", "batch", "system", "sysbatch", "periodic", "dispatched"];

const columns: Column<JobListStub>[] = [
  { id: "job", head: "Job", width: "minmax(100px, 3fr)", value: (j) => j.ID, cell: (j) => <JobLink namespace={j.Namespace ?? "default"} id={j.ID} /> },
  { id: "state", head: "State", width: "104px", value: (j) => jobState(j, sum(j.JobSummary?.Summary)).text, cell: (j) => <Badge state={jobState(j, sum(j.JobSummary?.Summary))} /> },
  { id: "bar", head: "Allocations", width: "minmax(108px, 2.4fr)", value: (j) => sum(j.JobSummary?.Summary).running, cell: (j) => <Allocations job={j} /> },
  { id: "type", head: "Type", width: "96px", wide: true, value: kind, cell: (j) => <span className="dim">{kind(j)}</span> },
  { id: "namespace", head: "Namespace", width: "minmax(70px, 110px)", wide: true, value: (j) => j.Namespace, cell: (j) => <span className="dim"><Name>{j.Namespace ?? ""}</Name></span> },
  { id: "pool", head: "Node pool", width: "minmax(70px, 110px)", wide: true, value: (j) => j.NodePool, cell: (j) => <span className="dim"><Name>{j.NodePool}</Name></span> },
  { id: "priority", head: "Priority", width: "64px", right: true, wide: true, value: (j) => j.Priority, cell: (j) => <span className="dim">{j.Priority}</span> },
  { id: "submitted", head: "Submitted", width: "92px", right: true, wide: true, value: (j) => j.SubmitTime, cell: (j) => <span className="dim"><Time at={j.SubmitTime} /></span> },
];

function kind(j: JobListStub): string {
  return j.Periodic ? "periodic" : j.ParameterizedJob ? "dispatched" : j.Type;
}

function Allocations({ job }: { job: JobListStub }) {
  const counts = sum(job.JobSummary?.Summary);
  const children = job.JobSummary?.Children;
  if (children && (job.Periodic || job.ParameterizedJob)) {
    const parts = [[children.Running, "running"], [children.Pending, "pending"], [children.Dead, "ended"]].filter(([n]) => n !== 0).map(([n, word]) => `${n} ${word}`);
    return <span className="dim cut" title="Jobs that it has launched">{parts.join(", ") || "none launched"}</span>;
  }
  const alive = counts.running + counts.starting + counts.queued + counts.unknown;
  return (
    <span className="row">
      <StatusBar counts={counts} />
      <span className="num dim nowrap job-count">{alive > 0 ? `${counts.running}/${alive}` : ""}</span>
    </span>
  );
}

export function Jobs() {
  const { q = "", status = "", type = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const [namespace] = useNamespace();
  const mayRun = useMay()("Jobs.Register", { namespace });
  const expression = isExpression(q);
  useTitle("Jobs");
  const read = useRead("Jobs.List", { namespace, ...(expression ? { filter: q } : {}) }, { keep: true });
  const set = (change: { q?: string; status?: string; type?: string }): void => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  const all = read.data;
  const rows = useMemo(() => narrowed(all ?? [], expression ? "" : q, status, type), [all, expression, q, status, type]);
  const states = useMemo(() => [...new Set((all ?? []).map((j) => jobState(j, sum(j.JobSummary?.Summary)).text))].sort(), [all]);
  return (
    <div className="page">
      <PageHead
        title="Jobs"
        actions={
          mayRun && (
            <Link to="/jobs/run" className="button primary">
              <Icon name="plus" />
              Run job
            </Link>
          )
        }
      />
      <Panel flush>
        <Filter
          value={q} onChange={(v) => set({ q: v })} placeholder="Filter by name, or by expression: Type == &quot;batch&quot;" help={help} error={expression ? read.error : null}
          facets={[
            { name: "State", value: status, values: states, onChange: (v) => set({ status: v }) },
            { name: "Type", value: type, values: types, onChange: (v) => set({ type: v }) },
          ]}
        />
        {all === undefined ? (
          read.error ? <div className="body"><Failure error={read.error} what="list of jobs" /></div> : <Skeleton lines={8} />
        ) : (
          <>
            {read.error !== null && !expression && <Callout tone="warn">This list could not be read anew: it is as it was before.</Callout>}
            <Table name="jobs" rows={rows} columns={columns} keys rowKey={(j) => `${j.Namespace}/${j.ID}`} rowLink={(j) => jobLink(j.Namespace ?? "default", j.ID)} sort={{ by: "submitted", down: true }} empty={<None mayRun={mayRun} filtered={q !== "" || status !== "" || type !== ""} onClear={() => set({ q: "", status: "", type: "" })} />} />
          </>
        )}
      </Panel>
    </div>
  );
}

function None({ filtered, mayRun, onClear }: { filtered: boolean; mayRun: boolean; onClear: () => void }) {
  const { state } = useLiveStatus();
  if (state === "denied") return <Empty icon="alert" title="You see no jobs" actions={<Link to="/settings" className="button primary">Sign in</Link>}>Access control is on, and lists show only what your token may see.</Empty>;
  if (filtered) return <Empty icon="filter" title="No job is like that" actions={<button type="button" className="button" onClick={onClear}>Clear the filter</button>} />;
  if (!mayRun) return <Empty icon="jobs" title="Nothing runs here yet">What is run here is listed, as far as your token may see it.</Empty>;
  return (
    <Empty icon="jobs" title="Nothing runs here yet" actions={<Link to="/jobs/run" className="button primary">Run a job</Link>}>
      A job says what to run and how often. Paste a job file, see what it would do, and run it. Or: <code>serai job init && serai job run example.nomad.hcl</code>
    </Empty>
  );
}

function narrowed(jobs: JobListStub[], text: string, status: string, type: string): JobListStub[] {
  const t = text.trim().toLowerCase();
  return jobs.filter(
    (j) =>
      (t === "" || j.ID.toLowerCase().includes(t) || j.Name.toLowerCase().includes(t)) &&
      (type === "" || kind(j) === type) &&
      (status === "" || jobState(j, sum(j.JobSummary?.Summary)).text === status),
  );
}

const help = {
  fields: ["ID", "Name", "Namespace", "Type", "Status", "Priority", "NodePool", "Stop", "Version", "Datacenters", "Meta"],
  examples: [
    ['Type == "batch"', "jobs of one type"],
    ['Status == "running" and Priority > 50', "both must hold"],
    ['Name matches "^web-"', "a regular expression"],
    ['"dc1" in Datacenters', "a list that contains a value"],
    ["Meta is not empty", "jobs that have meta"],
  ] as [string, string][],
};

