import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { useAct, useRead } from "../../api/query";
import type { Allocation } from "../../api/types.gen";
import { Callout, ID, PageHead, Shown, Time, useTitle } from "../../components/Basics";
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
import { AllocationOverview } from "./AllocationOverview";
import "./alloc.css";

const route = getRouteApi("/allocations/$alloc");

const tabs = [
  { id: "overview", text: "Overview" },
  { id: "why", text: "Why" },
];

export function AllocationPage() {
  const { alloc: id } = route.useParams();
  const { tab = "overview" } = route.useSearch();
  const read = useRead("Allocation.Read", { id });
  useTitle(read.data?.Name ?? short(id));
  return (
    <div className="page">
      <Shown read={read} what="allocation" lines={8}>
        {(a) => (
          <>
            <Head a={a} />
            <Notes a={a} />
            <Tabs tabs={tabs} at={tab} label="Parts of the allocation" />
            {tab === "why" ? <WhyOfAllocation id={a.ID} /> : <AllocationOverview a={a} />}
          </>
        )}
      </Shown>
    </div>
  );
}

function Head({ a }: { a: Allocation }) {
  const [asked, setAsked] = useState(false);
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
          <button type="button" className="button" disabled={a.ClientStatus !== "running" || restart.isPending} onClick={() => restart.mutate()}>
            <Icon name="restart" />
            Restart
          </button>
          <Menu entries={[{ label: "Stop and replace…", icon: "stop", danger: true, disabled: !alive || a.DesiredStatus !== "run", act: () => setAsked(true) }]}>
            <button type="button" className="button icon" aria-label="More actions">
              <Icon name="more" />
            </button>
          </Menu>
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
