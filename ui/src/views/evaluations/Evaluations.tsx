import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { useRead } from "../../api/query";
import type { Evaluation } from "../../api/types.gen";
import { useNamespace } from "../../app/namespace";
import { Empty, Failure, PageHead, Panel, Skeleton, Time, useTitle } from "../../components/Basics";
import { Filter, isExpression } from "../../components/Filter";
import { EvaluationLink, JobLink, evaluationLink } from "../../components/Links";
import { Badge, Name } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { count, span } from "../../lib/format";
import { evaluationState } from "../../lib/status";
import { reason } from "../job/JobEvaluations";
import { triggers } from "./graph";

const route = getRouteApi("/evaluations");

/** So many are asked for: the newest of those that the filter leaves. */
const MOST = 2000;

const columns: Column<Evaluation>[] = [
  { id: "id", head: "Evaluation", width: "104px", value: (e) => e.ID, cell: (e) => <EvaluationLink id={e.ID} /> },
  { id: "status", head: "Status", width: "104px", value: (e) => e.Status, cell: (e) => <Badge state={evaluationState(e.Status)} /> },
  { id: "job", head: "Job", width: "minmax(90px, 3fr)", value: (e) => e.JobID, cell: (e) => <JobLink namespace={e.Namespace} id={e.JobID} /> },
  { id: "cause", head: "Cause", width: "minmax(90px, 150px)", wide: true, value: (e) => e.TriggeredBy, cell: (e) => <span className="dim"><Name>{triggers[e.TriggeredBy] ?? e.TriggeredBy}</Name></span> },
  { id: "outcome", head: "Outcome", width: "minmax(120px, 3.5fr)", wide: true, value: reason, cell: (e) => <span className="dim" title={reason(e)}><Name>{reason(e)}</Name></span> },
  { id: "took", head: "Took", width: "60px", right: true, wide: true, value: took, cell: (e) => <span className="dim">{took(e) === undefined ? "–" : took(e) === 0 ? "< 1ms" : (took(e) as number) < 1000 ? `${took(e)}ms` : span(took(e) as number)}</span> },
  { id: "priority", head: "Priority", width: "60px", right: true, wide: true, value: (e) => e.Priority, cell: (e) => <span className="dim">{e.Priority}</span> },
  { id: "made", head: "Made", width: "84px", right: true, wide: true, value: (e) => e.CreateTime, cell: (e) => <span className="dim"><Time at={e.CreateTime} /></span> },
];

function took(e: Evaluation): number | undefined {
  return e.Status === "complete" || e.Status === "failed" ? Math.max(0, Math.round((e.ModifyTime - e.CreateTime) / 1e6)) : undefined;
}

/** A word as an expression, so that it finds among all evaluations and not only the newest. */
export function asFilter(text: string): string | undefined {
  const t = text.trim();
  if (t === "") return undefined;
  if (isExpression(t)) return t;
  const word = t.replace(/["\\]/g, "");
  if (word === "") return undefined;
  return `JobID contains "${word}" or ID matches "^${word.replace(/[^0-9a-fA-F-]/g, ".")}" or TriggeredBy contains "${word}"`;
}

export function Evaluations() {
  const { q = "", status = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const [namespace] = useNamespace();
  useTitle("Evaluations");
  const filter = asFilter(q);
  const read = useRead("Evaluations.List", { namespace, reverse: true, per_page: MOST, ...(filter === undefined ? {} : { filter }), ...(status === "" ? {} : { status }) }, { keep: true });
  const set = (change: { q?: string; status?: string }): void => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  const rows = useMemo(() => read.data ?? [], [read.data]);
  const filtered = q !== "" || status !== "";
  return (
    <div className="page">
      <PageHead title="Evaluations" sub="Each time that the scheduler looks at a job: why it did, and what came of it." />
      <Panel flush>
        <Filter
          value={q} onChange={(v) => set({ q: v })} placeholder="Filter by job, cause or ID, or by expression" help={help} error={read.error}
          facets={[{ name: "Status", value: status, values: ["blocked", "pending", "complete", "failed", "canceled"], onChange: (v) => set({ status: v }) }]}
        />
        {read.data === undefined ? (
          read.error ? <div className="body"><Failure error={read.error} what="list of evaluations" /></div> : <Skeleton lines={8} />
        ) : (
          <Table
            name="evaluations" rows={rows} columns={columns} keys rowKey={(e) => e.ID} rowLink={(e) => evaluationLink(e.ID)} sort={{ by: "made", down: true }}
            note={rows.length === MOST ? `The newest ${count(MOST)}: filter to see others` : undefined}
            empty={filtered ? <Empty icon="filter" title="No evaluation is like that" actions={<button type="button" className="button" onClick={() => set({ q: "", status: "" })}>Clear the filter</button>} /> : <Empty icon="evaluations" title="Nothing has been scheduled yet">An evaluation is made when a job is submitted or stopped, when an allocation fails, and when a node changes.</Empty>}
          />
        )}
      </Panel>
    </div>
  );
}

const help = {
  fields: ["ID", "JobID", "Namespace", "Type", "TriggeredBy", "Status", "StatusDescription", "Priority", "NodeID", "DeploymentID"],
  examples: [
    ['Status == "blocked"', "what waits for room"],
    ['TriggeredBy == "node-update" and Type == "service"', "both must hold"],
    ['JobID matches "^web-"', "a regular expression"],
    ["FailedTGAllocs is not empty", "those that could not place everything"],
  ] as [string, string][],
};
