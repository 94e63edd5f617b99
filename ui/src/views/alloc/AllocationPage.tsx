import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { needed, useMay } from "../../api/may";
import { useAct, useRead } from "../../api/query";
import type { Allocation, OperationName } from "../../api/types.gen";
import { Callout, Empty, ID, PageHead, Panel, Shown, Time, useTitle } from "../../components/Basics";
import { Confirm } from "../../components/Dialog";
import { Icon } from "../../components/Icon";
import { AllocationLink, JobLink, NodeLink } from "../../components/Links";
import { Menu } from "../../components/Menu";
import { Badge, Name, Tag } from "../../components/Status";
import { Tabs } from "../../components/Tabs";
import { toast } from "../../components/Toast";
import { short } from "../../lib/format";
import { allocationState } from "../../lib/status";
import { WhyOfAllocation } from "../why/WhyOfAllocation";
import { TerminalView } from "../../components/terminal/TerminalView";
import { AllocationLogs } from "./AllocationLogs";
import { AllocationOverview, tasksOf } from "./AllocationOverview";
import { Files } from "./Files";
import "./alloc.css";

const route = getRouteApi("/allocations/$alloc");

/** The parts of the page, and what the token must be allowed for each. */
const tabs: { id: string; text: string; needs: OperationName }[] = [
  { id: "overview", text: "Overview", needs: "Allocation.Read" },
  { id: "logs", text: "Logs", needs: "FS.Logs" },
  { id: "terminal", text: "Terminal", needs: "Alloc.Exec" },
  { id: "files", text: "Files", needs: "FS.List" },
  { id: "why", text: "Why", needs: "Allocation.Why" },
];

export function AllocationPage() {
  const { alloc: id } = route.useParams();
  const { tab = "overview" } = route.useSearch();
  const read = useRead("Allocation.Read", { id });
  const may = useMay();
  useTitle(read.data?.Name ?? short(id));
  return (
    <div className="page">
      <Shown read={read} what="allocation" lines={8}>
        {(a) => (
          <>
            <Head a={a} />
            <Notes a={a} />
            <Tabs tabs={tabs.filter((t) => may(t.needs, { namespace: a.Namespace }))} at={tab} label="Parts of the allocation" />
            <Part tab={tab} a={a} />
          </>
        )}
      </Shown>
    </div>
  );
}

function Part({ tab, a }: { tab: string; a: Allocation }) {
  const { task: wanted = "" } = route.useSearch();
  const tasks = tasksOf(a);
  const task = tasks.includes(wanted) ? wanted : (tasks[0] ?? "");
  const may = useMay();
  const needs = tabs.find((t) => t.id === tab)?.needs;
  if (needs !== undefined && !may(needs, { namespace: a.Namespace })) return <Panel><Empty icon="alert" title="Your token may not see this">{needed(needs)}</Empty></Panel>;
  switch (tab) {
    case "logs":
      return (
        <>
          <TaskChoice tasks={tasks} task={task} />
          <AllocationLogs key={task} a={a} task={task} />
        </>
      );
    case "terminal":
      return (
        <>
          <TaskChoice tasks={tasks} task={task} />
          <Panel flush>
            <TerminalView key={task} alloc={a.ID} task={task} />
          </Panel>
        </>
      );
    case "files":
      return <Files id={a.ID} />;
    case "why":
      return <WhyOfAllocation id={a.ID} />;
  }
  return <AllocationOverview a={a} />;
}

/** Which task is looked at, where there are several. */
function TaskChoice({ tasks, task }: { tasks: string[]; task: string }) {
  const navigate = route.useNavigate();
  if (tasks.length < 2) return null;
  return (
    <div className="segments" role="group" aria-label="Task">
      {tasks.map((t) => (
        <button key={t} type="button" aria-pressed={t === task} onClick={() => void navigate({ search: (s) => ({ ...s, task: t }), replace: true })}>
          <Name>{t}</Name>
        </button>
      ))}
    </div>
  );
}

function Head({ a }: { a: Allocation }) {
  const [asked, setAsked] = useState(false);
  const may = useMay();
  const where = { namespace: a.Namespace };
  const alive = a.ClientStatus === "running" || a.ClientStatus === "pending";
  const restart = useAct(() => call("Alloc.Restart", { id: a.ID }, { TaskName: "", AllTasks: false }), () => "The tasks are restarted.");
  const stop = async (): Promise<void> => {
    await call("Allocation.Stop", { id: a.ID });
    toast("The allocation is stopped; the scheduler replaces it.");
  };
  return (
    <PageHead
      title={<Name>{a.Name}</Name>}
      badge={
        <>
          <Badge state={allocationState(a)} boxed />
          {a.DeploymentStatus?.Canary === true && <Tag tone="note">canary</Tag>}
        </>
      }
      sub={
        <>
          <ID id={a.ID} />
          <span>job <span className="link"><JobLink namespace={a.Namespace} id={a.JobID} /></span></span>
          <span>node <span className="link"><NodeLink id={a.NodeID} name={a.NodeName} /></span></span>
          <span>version {a.Job?.Version ?? "–"}</span>
          <span>created <Time at={a.CreateTime} /></span>
        </>
      }
      actions={
        <>
          {may("Alloc.Restart", where) && (
            <button type="button" className="button" disabled={a.ClientStatus !== "running" || restart.isPending} onClick={() => restart.mutate()}>
              <Icon name="restart" />
              Restart
            </button>
          )}
          {may("Allocation.Stop", where) && (
            <Menu entries={[{ label: "Stop and replace…", icon: "stop", danger: true, disabled: !alive || a.DesiredStatus !== "run", act: () => setAsked(true) }]}>
              <button type="button" className="button icon" aria-label="More actions">
                <Icon name="more" />
              </button>
            </Menu>
          )}
          {asked && (
            <Confirm title="Stop this allocation?" label="Stop" danger act={stop} onClose={() => setAsked(false)}>
              <p>
                The tasks of <b><Name>{a.Name}</Name></b> end. The scheduler places another allocation for it, maybe on another node.
              </p>
            </Confirm>
          )}
        </>
      }
    />
  );
}

/** What stands before and after the allocation. */
function Notes({ a }: { a: Allocation }) {
  const text = [a.DesiredStatus === "run" ? "" : a.DesiredDescription, a.ClientDescription].filter((t) => t !== "").join(" · ");
  const bad = a.ClientStatus === "failed" || a.ClientStatus === "lost";
  return (
    <>
      {text !== "" && (bad || a.DesiredStatus !== "run") && <Callout tone={bad ? "bad" : "warn"}><Name>{text}</Name></Callout>}
      {(a.PreviousAllocation !== "" || a.NextAllocation !== "" || a.PreemptedByAllocation !== "") && (
        <div className="row wrap dim">
          {a.PreviousAllocation !== "" && <span className="row">replaces <AllocationLink id={a.PreviousAllocation} /></span>}
          {a.NextAllocation !== "" && <span className="row">replaced by <AllocationLink id={a.NextAllocation} /></span>}
          {a.PreemptedByAllocation !== "" && <span className="row">preempted by <AllocationLink id={a.PreemptedByAllocation} /></span>}
        </div>
      )}
    </>
  );
}
