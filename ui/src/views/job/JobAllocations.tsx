import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { useRead } from "../../api/query";
import type { Job } from "../../api/types.gen";
import { Empty, Panel, Shown } from "../../components/Basics";
import { Filter } from "../../components/Filter";
import { allocationState } from "../../lib/status";
import { AllocationsTable } from "../allocations/AllocationsTable";

const route = getRouteApi("/jobs/$namespace/$job");

export function JobAllocations({ job }: { job: Job }) {
  const { group = "", status = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const read = useRead("Job.Allocations", { id: job.ID, namespace: job.Namespace, all: true });
  const rows = useMemo(() => (read.data ?? []).filter((a) => (group === "" || a.TaskGroup === group) && (status === "" || allocationState(a).text === status)), [read.data, group, status]);
  const set = (change: { group?: string; status?: string }): void => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  const groups = (job.TaskGroups ?? []).map((g) => g.Name);
  const states = [...new Set((read.data ?? []).map((a) => allocationState(a).text))].sort();
  return (
    <Panel flush>
      <Shown read={read} what="allocations">
        {() => (
          <>
            {(groups.length > 1 || states.length > 1) && (
              <Filter.Facets
                facets={[
                  ...(groups.length > 1 ? [{ name: "Group", value: group, values: groups.slice(0, 200), onChange: (v: string) => set({ group: v }) }] : []),
                  { name: "State", value: status, values: states, onChange: (v: string) => set({ status: v }) },
                ]}
              />
            )}
            <AllocationsTable rows={rows} job={false} keys empty={<Empty icon="terminal" title="No allocations">{job.Stop ? "The job is stopped." : "Look under Why for the reason."}</Empty>} />
          </>
        )}
      </Shown>
    </Panel>
  );
}
