import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { useRead } from "../../api/query";
import type { Deployment, Evaluation, JobListStub, NodeListStub } from "../../api/types.gen";
import { useNamespace } from "../../app/namespace";
import { Empty, PageHead, Panel, Shown, Time, useTitle } from "../../components/Basics";
import { JobLink, NodeLink } from "../../components/Links";
import { Badge, Glyph, Legend, Meter, Name, StatusBar } from "../../components/Status";
import { count, mebibytes, megahertz, plural } from "../../lib/format";
import { deploymentState, evaluationState, jobState, nodeState, sum, type Counts, type State } from "../../lib/status";
import { promised } from "./capacity";
import "./overview.css";

export function Overview() {
  useTitle("Overview");
  const [namespace] = useNamespace();
  const jobs = useRead("Jobs.List", { namespace });
  const nodes = useRead("Nodes.List", { resources: true });
  return (
    <div className="page">
      <PageHead title="Overview" sub={<Leader />} />
      <Figures jobs={jobs.data} nodes={nodes.data} />
      <div className="overview-columns">
        <div className="stack">
          <Wrong jobs={jobs.data} nodes={nodes.data} namespace={namespace} />
          <Lately namespace={namespace} />
        </div>
        <div className="stack">
          <Panel title="Capacity">
            <Shown read={nodes} what="nodes" lines={4}>
              {(list) => <Capacity nodes={list} />}
            </Shown>
          </Panel>
          <Panel title="Allocations">
            <Shown read={jobs} what="jobs" lines={2}>
              {(list) => <Allocations jobs={list} />}
            </Shown>
          </Panel>
        </div>
      </div>
    </div>
  );
}

function Leader() {
  const leader = useRead("Status.Leader", {});
  const regions = useRead("Regions.List", {});
  return (
    <>
      {regions.data?.[0] !== undefined && <span>Region <Name>{regions.data[0]}</Name></span>}
      {leader.data !== undefined && <span>{leader.data === "" ? "no leader" : <>Leader <code><Name>{leader.data}</Name></code></>}</span>}
    </>
  );
}

const alive = (j: JobListStub): boolean => !j.Stop && j.Status !== "dead";

function Figures({ jobs, nodes }: { jobs: JobListStub[] | undefined; nodes: NodeListStub[] | undefined }) {
  const total = useMemo(() => totals(jobs ?? []), [jobs]);
  const ready = nodes?.filter((n) => nodeState(n).tone === "ok").length;
  return (
    <div className="figures">
      <Figure name="Jobs" value={jobs?.filter(alive).length} of={jobs?.length} note="alive" to="/jobs" />
      <Figure name="Allocations" value={jobs && total.running} note="running" />
      <Figure name="Waiting" value={jobs && total.queued + total.starting} note={total.queued === 0 ? "to start" : total.starting === 0 ? "without a node" : `${count(total.queued)} without a node`} />
      <Figure name="Nodes" value={ready} of={nodes?.length} note="ready" />
    </div>
  );
}

function Figure({ name, value, of, note, to }: { name: string; value: number | undefined; of?: number | undefined; note: string; to?: "/jobs" }) {
  const inner = (
    <>
      <span className="name">{name}</span>
      <span className="value">
        {value === undefined ? "–" : count(value)} <small>{value === undefined ? "" : of === undefined || of === value ? note : `of ${count(of)} ${note}`}</small>
      </span>
    </>
  );
  return to ? <Link to={to} className="figure">{inner}</Link> : <div className="figure">{inner}</div>;
}

function totals(jobs: JobListStub[]): Counts {
  const c = sum(undefined);
  for (const j of jobs) {
    const s = sum(j.JobSummary?.Summary);
    for (const k of Object.keys(c) as (keyof Counts)[]) c[k] += s[k];
  }
  return c;
}

interface Trouble {
  key: string;
  state: State;
  what: React.ReactNode;
  why: string;
  at?: number;
}

/** What needs somebody, the worst first. */
function Wrong({ jobs, nodes, namespace }: { jobs: JobListStub[] | undefined; nodes: NodeListStub[] | undefined; namespace: string }) {
  const deployments = useRead("Deployments.List", { namespace });
  const list = useMemo(() => troubles(jobs ?? [], nodes ?? [], deployments.data ?? []), [jobs, nodes, deployments.data]);
  const known = jobs !== undefined && nodes !== undefined;
  return (
    <Panel title="Needs attention" {...(list.length > 0 ? { count: count(list.length) } : {})} flush>
      {!known ? null : list.length === 0 ? (
        <div className="all-well tone-ok">
          <Glyph tone="ok" />
          <span>Nothing: every node is ready, and every job runs as asked.</span>
        </div>
      ) : (
        <ul className="lines-list">
          {list.slice(0, 12).map((t) => (
            <li key={t.key}>
              <Badge state={t.state} />
              <span className="cut">{t.what}</span>
              <span className="cut dim grow">{t.why}</span>
            </li>
          ))}
          {list.length > 12 && <li className="faint">and {plural(list.length - 12, "more")}</li>}
        </ul>
      )}
    </Panel>
  );
}

function troubles(jobs: JobListStub[], nodes: NodeListStub[], deployments: Deployment[]): Trouble[] {
  const list: Trouble[] = [];
  for (const n of nodes) {
    const s = nodeState(n);
    if (s.tone === "ok") continue;
    list.push({ key: n.ID, state: s, what: <>Node <NodeLink id={n.ID} name={n.Name} /></>, why: n.StatusDescription || "takes no new allocations" });
  }
  for (const j of jobs) {
    const c = sum(j.JobSummary?.Summary);
    const s = jobState(j, c);
    if (s.tone !== "bad" && s.tone !== "warn") continue;
    const why = c.queued > 0 ? `${plural(c.queued, "allocation")} without a node` : c.failed > 0 ? `${count(c.failed)} failed` : j.StatusDescription;
    list.push({ key: `${j.Namespace}/${j.ID}`, state: s, what: <JobLink namespace={j.Namespace ?? "default"} id={j.ID} />, why });
  }
  for (const d of deployments) {
    if (d.Status === "running" && d.StatusDescription.includes("promotion")) {
      list.push({ key: d.ID, state: { tone: "note", text: "to promote" }, what: <JobLink namespace={d.Namespace} id={d.JobID} />, why: d.StatusDescription });
    }
  }
  const rank = { bad: 0, warn: 1, note: 2, busy: 3, off: 4, ok: 5 };
  return list.sort((a, b) => rank[a.state.tone] - rank[b.state.tone]);
}

function Capacity({ nodes }: { nodes: NodeListStub[] }) {
  const p = promised(nodes);
  const used = useRead("Nodes.Usage", {});
  if (nodes.length === 0) return <Empty icon="nodes" title="No nodes">Start an agent with <code>client {"{ enabled = true }"}</code>.</Empty>;
  const u = promised.used(used.data ?? []);
  return (
    <div className="stack">
      <Meter name="CPU promised" part={u.cpu} whole={p.cpu} text={`${megahertz(u.cpu)} of ${megahertz(p.cpu)}`} />
      <Meter name="Memory promised" part={u.memory} whole={p.memory} text={`${mebibytes(u.memory)} of ${mebibytes(p.memory)}`} />
      <Meter name="Disk promised" part={u.disk} whole={p.disk} text={`${mebibytes(u.disk)} of ${mebibytes(p.disk)}`} />
    </div>
  );
}

function Allocations({ jobs }: { jobs: JobListStub[] }) {
  const c = totals(jobs);
  return (
    <div className="stack tight">
      <StatusBar counts={c} thick />
      <Legend counts={c} />
    </div>
  );
}

interface Change {
  key: string;
  time: number;
  state: State;
  what: React.ReactNode;
  text: string;
}

/** The last evaluations and deployments, newest first. */
function Lately({ namespace }: { namespace: string }) {
  const evaluations = useRead("Evaluations.List", { namespace, reverse: true, per_page: 20 });
  const deployments = useRead("Deployments.List", { namespace, reverse: true, per_page: 20 });
  const list = useMemo(() => changes(evaluations.data ?? [], deployments.data ?? []), [evaluations.data, deployments.data]);
  return (
    <Panel title="Lately" flush>
      <Shown read={evaluations} what="last changes" lines={6}>
        {() =>
          list.length === 0 ? (
            <Empty icon="events" title="Nothing has happened yet" />
          ) : (
            <ul className="lines-list">
              {list.map((c) => (
                <li key={c.key}>
                  <Badge state={c.state} />
                  <span className="cut">{c.what}</span>
                  <span className="cut dim grow">{c.text}</span>
                  <span className="dim">
                    <Time ms={c.time} />
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
    </Panel>
  );
}

const triggers: Record<string, string> = {
  "job-register": "was submitted", "job-deregister": "was stopped", "periodic-job": "was launched by the clock", "node-drain": "makes way for a drain",
  "node-update": "follows a change of a node", "alloc-stop": "replaces a stopped allocation", scheduled: "was due", "rolling-update": "is being updated",
  "deployment-watcher": "goes on with its deployment", "alloc-failure": "follows a failed allocation", "queued-allocs": "waits for room", preemption: "was preempted",
  "job-scaling": "was scaled", "max-plan-attempts": "is tried again", "failed-follow-up": "is tried again", reconnect: "has its node back", "max-disconnect-timeout": "has lost its node",
};

function changes(evaluations: Evaluation[], deployments: Deployment[]): Change[] {
  const list: Change[] = evaluations.map((e) => ({
    key: e.ID, time: e.ModifyTime / 1e6, state: evaluationState(e.Status), what: <JobLink namespace={e.Namespace} id={e.JobID} />, text: triggers[e.TriggeredBy] ?? e.TriggeredBy,
  }));
  for (const d of deployments) {
    list.push({ key: d.ID, time: d.ModifyTime / 1e6, state: deploymentState(d.Status), what: <JobLink namespace={d.Namespace} id={d.JobID} />, text: `version ${d.JobVersion}: ${d.StatusDescription}` });
  }
  return list.sort((a, b) => b.time - a.time).slice(0, 15);
}
