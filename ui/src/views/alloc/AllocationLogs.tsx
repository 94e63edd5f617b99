import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Allocation } from "../../api/types.gen";
import { Panel } from "../../components/Basics";
import type { LogSource } from "../../components/log/follow";
import { LogView } from "../../components/log/LogView";
import { short } from "../../lib/format";

const route = getRouteApi("/allocations/$alloc");

const streams = ["both", "stdout", "stderr"];

export function AllocationLogs({ a, task }: { a: Allocation; task: string }) {
  const { stream = "both", find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const sources = useMemo(() => {
    const wanted = stream === "stdout" || stream === "stderr" ? [stream] : ["stdout", "stderr"];
    return wanted.map((s): LogSource => ({ kind: "task", alloc: a.ID, task, stream: s as "stdout" | "stderr", label: s }));
  }, [a.ID, task, stream]);
  return (
    <Panel flush>
      <LogView sources={sources} find={find} onFind={(t) => void navigate({ search: (s) => ({ ...s, find: t }), replace: true })} name={`${task}-${short(a.ID)}`}>
        <div className="segments" role="group" aria-label="Stream">
          {streams.map((s) => (
            <button key={s} type="button" aria-pressed={stream === s} onClick={() => void navigate({ search: (x) => ({ ...x, stream: s === "both" ? undefined : s }), replace: true })}>
              {s}
            </button>
          ))}
        </div>
      </LogView>
    </Panel>
  );
}
