import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { useRead } from "../../api/query";
import type { AllocationListStub, Node } from "../../api/types.gen";
import { Callout, Empty, ID, PageHead, Panel, Shown, Time, useTitle } from "../../components/Basics";
import { Badge, Name } from "../../components/Status";
import { Tabs } from "../../components/Tabs";
import { short } from "../../lib/format";
import { nodeState } from "../../lib/status";
import { AllocationsTable } from "../allocations/AllocationsTable";
import { Attributes } from "./Attributes";
import { DrainPanel } from "./DrainPanel";
import { NodeActions } from "./NodeActions";
import { NodeEvents } from "./NodeEvents";
import { NodeOverview } from "./NodeOverview";
import "./nodes.css";

const route = getRouteApi("/nodes/$node");

export function NodePage() {
  const { node: id } = route.useParams();
  const { tab = "overview" } = route.useSearch();
  const read = useRead("Node.Read", { id });
  const allocations = useRead("Allocations.List", { namespace: "*", resources: true, filter: `NodeID == "${id.replace(/[^0-9a-zA-Z-]/g, "")}"` });
  useTitle(read.data?.Name ?? short(id));
  return (
    <div className="page">
      <Shown read={read} what="node" lines={8}>
        {(n) => <Page n={n} tab={tab} allocations={allocations} />}
      </Shown>
    </div>
  );
}

type Allocations = ReturnType<typeof useRead<"Allocations.List">>;

function Page({ n, tab, allocations }: { n: Node; tab: string; allocations: Allocations }) {
  const alive = useMemo(() => allocations.data?.filter(isAlive), [allocations.data]);
  const tabs = [
    { id: "overview", text: "Overview" },
    { id: "allocations", text: "Allocations", count: alive?.length },
    { id: "attributes", text: "Attributes", count: Object.keys(n.Attributes ?? {}).length },
    { id: "events", text: "Events", count: n.Events?.length ?? 0 },
  ];
  return (
    <>
      <PageHead
        title={<Name>{n.Name}</Name>}
        badge={<Badge state={nodeState({ ...n, Drain: n.DrainStrategy !== null })} boxed />}
        sub={
          <>
            <ID id={n.ID} />
            <span>pool <Name>{n.NodePool}</Name></span>
            <span>datacenter <Name>{n.Datacenter}</Name></span>
            {n.NodeClass !== "" && <span>class <Name>{n.NodeClass}</Name></span>}
            <span className="mono"><Name>{n.HTTPAddr}</Name></span>
            <span>{n.Status} since <Time at={n.StatusUpdatedAt * 1e9} /></span>
          </>
        }
        actions={<NodeActions n={n} alive={alive ?? []} />}
      />
      <Notes n={n} />
      <DrainPanel n={n} allocations={allocations.data ?? []} />
      <Tabs tabs={tabs} at={tab} label="Parts of the node" />
      {tab === "allocations" ? (
        <Panel flush>
          <Shown read={allocations} what="allocations">
            {(list) => <AllocationsTable rows={list} keys empty={<Empty icon="terminal" title="Nothing has run here">Allocations appear when a job is placed on this node.</Empty>} />}
          </Shown>
        </Panel>
      ) : tab === "attributes" ? (
        <Attributes n={n} />
      ) : tab === "events" ? (
        <NodeEvents n={n} />
      ) : (
        <NodeOverview n={n} alive={alive} />
      )}
    </>
  );
}

/** Whether an allocation holds resources of its node. */
export const isAlive = (a: Pick<AllocationListStub, "ClientStatus">): boolean => !["complete", "failed", "lost"].includes(a.ClientStatus);

function Notes({ n }: { n: Node }) {
  if (n.Status === "down" || n.Status === "disconnected") {
    return (
      <Callout tone={n.Status === "down" ? "bad" : "warn"}>
        <b>The node is {n.Status}.</b> {n.StatusDescription !== "" && <Name>{n.StatusDescription}</Name>} Its agent has sent no heartbeat since <Time at={n.StatusUpdatedAt * 1e9} />: look at the machine, its network and the agent’s log.
      </Callout>
    );
  }
  const bad = Object.entries(n.Drivers ?? {}).filter(([, d]) => d.Detected && !d.Healthy);
  if (bad.length === 0) return null;
  return (
    <Callout tone="warn">
      <b>{bad.length === 1 ? "A driver is" : `${bad.length} drivers are`} not healthy:</b> tasks that need {bad.length === 1 ? "it" : "them"} are placed elsewhere. {bad.map(([name, d]) => <span key={name} className="break"><Name>{`${name}: ${d.HealthDescription || "no reason given"}`}</Name> </span>)}
    </Callout>
  );
}
