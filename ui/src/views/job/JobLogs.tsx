// The logs of several allocations of a job, interleaved as they are written.
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useRead } from "../../api/query";
import type { Job } from "../../api/types.gen";
import { Empty, Panel, Shown } from "../../components/Basics";
import type { LogSource } from "../../components/log/follow";
import { LogView } from "../../components/log/LogView";
import { Menu } from "../../components/Menu";
import { visible } from "../../lib/format";

const route = getRouteApi("/jobs/$namespace/$job");

/** A browser opens six connections to an agent; some are left for the rest of the page. */
const MOST = 4;

export function JobLogs({ job }: { job: Job }) {
  const { task: wanted = "", find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const read = useRead("Job.Allocations", { id: job.ID, namespace: job.Namespace });
  const tasks = (job.TaskGroups ?? []).flatMap((g) => (g.Tasks ?? []).map((t) => `${g.Name}/${t.Name}`));
  const task = tasks.includes(wanted) ? wanted : (tasks[0] ?? "");
  const [stream, setStream] = useState<"stdout" | "stderr">("stdout");
  const [group = "", name = ""] = task.split("/");
  const running = (read.data ?? []).filter((a) => a.TaskGroup === group && (a.ClientStatus === "running" || a.ClientStatus === "failed" || a.ClientStatus === "complete")).sort((a, b) => Number(b.ClientStatus === "running") - Number(a.ClientStatus === "running") || b.CreateTime - a.CreateTime);
  const chosen = running.slice(0, MOST);
  const ids = chosen.map((a) => a.ID).join();
  const sources = useMemo(
    () => chosen.map((a): LogSource => ({ kind: "task", alloc: a.ID, task: name, stream, label: `${a.Name.slice(a.Name.lastIndexOf("["))} ${a.ID.slice(0, 4)}` })),
    [ids, name, stream], // eslint-disable-line
  );
  return (
    <Panel flush>
      <Shown read={read} what="allocations">
        {() =>
          sources.length === 0 ? (
            <Empty icon="logs" title="Nothing has run yet" />
          ) : (
            <LogView sources={sources} find={find} onFind={(t) => void navigate({ search: (s) => ({ ...s, find: t }), replace: true })} name={`${job.Name}-${name}`}>
              {tasks.length > 1 && (
                <Menu align="start" entries={tasks.slice(0, 200).map((t) => ({ label: visible(t, 80), checked: t === task, act: () => void navigate({ search: (s) => ({ ...s, task: t }), replace: true }) }))}>
                  <button type="button" className="button small">{visible(task, 60)}</button>
                </Menu>
              )}
              <div className="segments" role="group" aria-label="Stream">
                {(["stdout", "stderr"] as const).map((s) => (
                  <button key={s} type="button" aria-pressed={stream === s} onClick={() => setStream(s)}>{s}</button>
                ))}
              </div>
              <span className="faint">{running.length > MOST ? `newest ${MOST} of ${running.length} allocations` : ""}</span>
            </LogView>
          )
        }
      </Shown>
    </Panel>
  );
}
