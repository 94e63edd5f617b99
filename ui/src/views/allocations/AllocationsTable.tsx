// A table of allocations, wherever there are some.
import type { AllocationListStub } from "../../api/types.gen";
import { Time } from "../../components/Basics";
import { AllocationLink, JobLink, NodeLink, allocationLink } from "../../components/Links";
import { Badge, Name, Tag } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { allocationState } from "../../lib/status";

type Row = AllocationListStub;

const restartsOf = (a: Row): number => Object.values(a.TaskStates ?? {}).reduce((n, t) => n + t.Restarts, 0);

const all: Record<string, Column<Row>> = {
  id: { id: "id", head: "Allocation", width: "92px", value: (a) => a.ID, cell: (a) => <AllocationLink id={a.ID} /> },
  state: { id: "state", head: "State", width: "minmax(90px, 150px)", value: (a) => allocationState(a).text, cell: (a) => <State a={a} /> },
  job: { id: "job", head: "Job", width: "minmax(80px, 2fr)", value: (a) => a.JobID, cell: (a) => <JobLink namespace={a.Namespace} id={a.JobID} /> },
  group: { id: "group", head: "Group", width: "minmax(50px, 1fr)", value: (a) => a.Name, cell: (a) => <span><Name>{a.TaskGroup}</Name><span className="faint">{a.Name.slice(a.Name.lastIndexOf("["))}</span></span> },
  node: { id: "node", head: "Node", width: "minmax(80px, 1.4fr)", wide: true, value: (a) => a.NodeName || a.NodeID, cell: (a) => <span className="dim"><NodeLink id={a.NodeID} name={a.NodeName} /></span> },
  version: { id: "version", head: "Version", width: "62px", right: true, wide: true, value: (a) => a.JobVersion, cell: (a) => <span className="dim">{a.JobVersion}</span> },
  restarts: { id: "restarts", head: "Restarts", width: "64px", right: true, wide: true, value: restartsOf, cell: (a) => <span className={restartsOf(a) > 0 ? "" : "faint"}>{restartsOf(a)}</span> },
  created: { id: "created", head: "Created", width: "84px", right: true, wide: true, value: (a) => a.CreateTime, cell: (a) => <span className="dim"><Time at={a.CreateTime} /></span> },
  changed: { id: "changed", head: "Changed", width: "84px", right: true, wide: true, value: (a) => a.ModifyTime, cell: (a) => <span className="dim"><Time at={a.ModifyTime} /></span> },
};

function State({ a }: { a: Row }) {
  return (
    <span className="row" title={a.ClientDescription || a.DesiredDescription}>
      <Badge state={allocationState(a)} />
      {a.DeploymentStatus?.Canary === true && <Tag tone="note">canary</Tag>}
    </span>
  );
}

const pick = (...names: string[]): Column<Row>[] => names.map((n) => all[n]).filter((c) => c !== undefined);
const columns = pick("id", "state", "job", "group", "node", "version", "restarts", "created", "changed");
const without = (...ids: string[]): Column<Row>[] => columns.filter((c) => !ids.includes(c.id));
const ofAJob = without("job");
const ofAll = without("restarts");

/** restarts are known where the states of tasks were read. */
export function AllocationsTable({ rows, job = true, restarts = true, keys = false, empty }: { rows: Row[]; job?: boolean; restarts?: boolean; keys?: boolean; empty?: React.ReactNode }) {
  return <Table name="allocations" rows={rows} columns={!job ? ofAJob : restarts ? columns : ofAll} keys={keys} rowKey={(a) => a.ID} rowLink={(a) => allocationLink(a.ID)} sort={{ by: "created", down: true }} empty={empty} />;
}
