// What can be done with a node.
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { needed, useMay } from "../../api/may";
import { useAct } from "../../api/query";
import type { AllocationListStub, Node } from "../../api/types.gen";
import { Confirm } from "../../components/Dialog";
import { Icon } from "../../components/Icon";
import { Menu, type MenuEntry } from "../../components/Menu";
import { Name } from "../../components/Status";
import { toast } from "../../components/Toast";
import { plural } from "../../lib/format";
import { DrainDialog } from "./DrainDialog";

type Asked = "drain" | "purge" | undefined;

export function NodeActions({ n, alive }: { n: Node; alive: AllocationListStub[] }) {
  const [asked, setAsked] = useState<Asked>();
  const may = useMay();
  const eligible = n.SchedulingEligibility === "eligible";
  const toggle = useAct(
    () => call("Node.Eligibility", { id: n.ID }, { NodeID: n.ID, Eligibility: eligible ? "ineligible" : "eligible" }),
    () => (eligible ? `${n.Name} takes no new allocations. What runs there goes on.` : `${n.Name} takes new allocations.`),
  );
  const evaluate = useAct(() => call("Node.Evaluate", { id: n.ID }), (r) => `The scheduler looks at the node again: ${plural((r.EvalIDs ?? []).length, "evaluation")}.`);
  const collect = useAct(() => call("Client.GC", { node_id: n.ID }), () => "The node removes allocations that have ended.");
  if (!may("Node.Drain")) return <span className="faint" title={needed("Node.Drain")}>Read only: your token lacks <code>node:write</code></span>;
  const entries: MenuEntry[] = [
    { label: "Evaluate its jobs again", icon: "evaluations", act: () => evaluate.mutate() },
    { label: "Collect ended allocations", icon: "trash", disabled: n.Status !== "ready", act: () => collect.mutate() },
    "line",
    { label: "Purge…", icon: "trash", danger: true, act: () => setAsked("purge") },
  ];
  return (
    <>
      {n.DrainStrategy === null && (
        <>
          <button type="button" className="button" disabled={toggle.isPending} onClick={() => toggle.mutate()}>
            <Icon name={eligible ? "pause" : "play"} />
            {eligible ? "Make ineligible" : "Make eligible"}
          </button>
          <button type="button" className="button" disabled={n.Status === "down"} onClick={() => setAsked("drain")}>
            <Icon name="download" />
            Drain…
          </button>
        </>
      )}
      <Menu entries={entries}>
        <button type="button" className="button icon" aria-label="More actions">
          <Icon name="more" />
        </button>
      </Menu>
      {asked === "drain" && <DrainDialog n={n} alive={alive} onClose={() => setAsked(undefined)} />}
      {asked === "purge" && <Purge n={n} alive={alive} onClose={() => setAsked(undefined)} />}
    </>
  );
}

function Purge({ n, alive, onClose }: { n: Node; alive: AllocationListStub[]; onClose: () => void }) {
  const navigate = useNavigate();
  const act = async (): Promise<void> => {
    await call("Node.Purge", { id: n.ID });
    toast(`${n.Name} is forgotten.`);
    void navigate({ to: "/nodes" });
  };
  return (
    <Confirm title="Purge this node?" label="Purge" danger {...(n.Status === "down" ? {} : { typed: n.Name })} act={act} onClose={onClose}>
      <p>
        The cluster forgets <b><Name>{n.Name}</Name></b>, its attributes and its events.
        {alive.length > 0 && <> Its {plural(alive.length, "allocation")} count as lost and are placed on other nodes.</>}
      </p>
      {n.Status !== "down" && <p>The node is alive: its agent registers it anew when it next asks. Drain it and stop its agent first if you mean to remove it.</p>}
    </Confirm>
  );
}
