import { useRead } from "../../api/query";
import type { Evaluation, Job } from "../../api/types.gen";
import { Empty, Panel, Shown, Time } from "../../components/Basics";
import { EvaluationLink } from "../../components/Links";
import { Badge, Name } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { evaluationState } from "../../lib/status";
import { triggers } from "../evaluations/graph";

export function JobEvaluations({ job }: { job: Job }) {
  const read = useRead("Job.Evaluations", { id: job.ID, namespace: job.Namespace });
  return (
    <Panel flush>
      <Shown read={read} what="evaluations">
        {(list) => <Table name="evaluations" rows={list} columns={columns} keys rowKey={(e) => e.ID} sort={{ by: "time", down: true }} empty={<Empty icon="evaluations" title="No evaluations" />} />}
      </Shown>
    </Panel>
  );
}

/** Why an evaluation could not place everything. */
export function reason(e: Evaluation): string {
  const groups = Object.entries(e.FailedTGAllocs ?? {}).map(([group, m]) => {
    const why = [
      ...Object.entries(m.ConstraintFiltered ?? {}).map(([c, n]) => `${c} rules out ${n}`),
      ...Object.entries(m.DimensionExhausted ?? {}).map(([d, n]) => `${n} lack ${d}`),
    ];
    if (m.NodesEvaluated === 0 && why.length === 0) why.push("no node is eligible");
    return `${group}: ${m.CoalescedFailures + 1} without a node (${why.join(", ")})`;
  });
  return groups.join("; ") || e.StatusDescription;
}

const columns: Column<Evaluation>[] = [
  { id: "id", head: "Evaluation", width: "104px", value: (e) => e.ID, cell: (e) => <EvaluationLink id={e.ID} /> },
  { id: "status", head: "Status", width: "100px", value: (e) => e.Status, cell: (e) => <Badge state={evaluationState(e.Status)} /> },
  { id: "cause", head: "Cause", width: "minmax(90px, 160px)", value: (e) => e.TriggeredBy, cell: (e) => <span className="dim"><Name>{triggers[e.TriggeredBy] ?? e.TriggeredBy}</Name></span> },
  { id: "reason", head: "Outcome", width: "minmax(120px, 4fr)", wide: true, value: reason, cell: (e) => <span className="dim" title={reason(e)}><Name>{reason(e)}</Name></span> },
  { id: "priority", head: "Priority", width: "64px", right: true, wide: true, value: (e) => e.Priority, cell: (e) => <span className="dim">{e.Priority}</span> },
  { id: "time", head: "Made", width: "84px", right: true, wide: true, value: (e) => e.CreateTime, cell: (e) => <span className="dim"><Time at={e.CreateTime} /></span> },
];
