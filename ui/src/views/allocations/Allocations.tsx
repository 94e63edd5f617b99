import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { useRead } from "../../api/query";
import { useNamespace } from "../../app/namespace";
import { Empty, Failure, PageHead, Panel, Skeleton, useTitle } from "../../components/Basics";
import { Filter, isExpression } from "../../components/Filter";
import { allocationState } from "../../lib/status";
import { AllocationsTable } from "./AllocationsTable";

const route = getRouteApi("/allocations");

export function Allocations() {
  const { q = "", status = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const [namespace] = useNamespace();
  useTitle("Allocations");
  const expression = isExpression(q);
  const read = useRead("Allocations.List", { namespace, task_states: false, ...(expression ? { filter: q } : {}) }, { keep: true });
  const rows = useMemo(() => {
    const t = expression ? "" : q.trim().toLowerCase();
    return (read.data ?? []).filter((a) => (status === "" || allocationState(a).text === status) && (t === "" || a.Name.toLowerCase().includes(t) || a.ID.startsWith(t) || a.NodeName.toLowerCase().includes(t)));
  }, [read.data, expression, q, status]);
  const set = (change: { q?: string; status?: string }): void => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  const filtered = q !== "" || status !== "";
  return (
    <div className="page">
      <PageHead title="Allocations" />
      <Panel flush>
        <Filter
          value={q} onChange={(v) => set({ q: v })} placeholder="Filter by job, group, node or ID, or by expression" help={help} error={expression ? read.error : null}
          facets={[{ name: "State", value: status, values: ["running", "pending", "stopping", "unhealthy", "complete", "failed", "lost", "unknown"], onChange: (v) => set({ status: v }) }]}
        />
        {read.data === undefined ? (
          read.error ? <div className="body"><Failure error={read.error} what="list of allocations" /></div> : <Skeleton lines={8} />
        ) : (
          <AllocationsTable
            rows={rows} keys restarts={false}
            empty={filtered ? <Empty icon="filter" title="No allocation is like that" actions={<button type="button" className="button" onClick={() => set({ q: "", status: "" })}>Clear the filter</button>} /> : <Empty icon="terminal" title="There are no allocations">They appear when a job finds nodes.</Empty>}
          />
        )}
      </Panel>
    </div>
  );
}

const help = {
  fields: ["ID", "Name", "Namespace", "JobID", "TaskGroup", "NodeID", "NodeName", "ClientStatus", "DesiredStatus", "DeploymentID", "CreateIndex"],
  examples: [
    ['ClientStatus == "failed"', "what has failed"],
    ['JobID == "web" and ClientStatus != "complete"', "both must hold"],
    ['NodeName matches "^rack-2"', "a regular expression"],
  ] as [string, string][],
};
