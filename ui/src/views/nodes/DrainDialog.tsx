import { useState } from "react";
import { call } from "../../api/client";
import type { AllocationListStub, Node } from "../../api/types.gen";
import { Confirm } from "../../components/Dialog";
import { Name } from "../../components/Status";
import { toast } from "../../components/Toast";
import { plural } from "../../lib/format";
import { isSystem } from "./drain";

const deadlines: [text: string, seconds: number][] = [["15 minutes", 900], ["1 hour", 3600], ["4 hours", 14_400], ["24 hours", 86_400]];
const SECOND = 1e9;

type When = "deadline" | "none" | "force";

/** Asks how a node is to be emptied. */
export function DrainDialog({ n, alive, onClose }: { n: Node; alive: AllocationListStub[]; onClose: () => void }) {
  const [when, setWhen] = useState<When>("deadline");
  const [seconds, setSeconds] = useState(3600);
  const [ignoreSystem, setIgnoreSystem] = useState(false);
  const [message, setMessage] = useState("");
  const system = alive.filter((a) => isSystem(a.JobType));
  const act = async (): Promise<void> => {
    const deadline = when === "force" ? -1 : when === "none" ? 0 : seconds * SECOND;
    const meta = message.trim() === "" ? {} : { Meta: { message: message.trim() } };
    await call("Node.Drain", { id: n.ID }, { NodeID: n.ID, DrainSpec: { Deadline: deadline, IgnoreSystemJobs: ignoreSystem }, MarkEligible: false, ...meta });
    toast(`${n.Name} is being drained.`);
  };
  return (
    <Confirm title={`Drain ${n.Name}?`} label="Drain" danger={when === "force"} act={act} onClose={onClose}>
      <p>
        {alive.length === 0 ? (
          <>Nothing runs on <b><Name>{n.Name}</Name></b>. It takes no new allocations from now on.</>
        ) : (
          <>
            {plural(alive.length, "allocation")} on <b><Name>{n.Name}</Name></b> {alive.length === 1 ? "moves" : "move"} to other nodes, as many at a time as each job’s <code>migrate</code> block allows. The node takes no new ones.
          </>
        )}
      </p>
      <fieldset className="options">
        <legend className="hidden">How long jobs have</legend>
        <label className="check">
          <input type="radio" name="when" checked={when === "deadline"} onChange={() => setWhen("deadline")} />
          <span>
            Gracefully, and stop what is left after{" "}
            <select className="field" aria-label="Deadline" value={seconds} onChange={(e) => { setSeconds(Number(e.target.value)); setWhen("deadline"); }}>
              {deadlines.map(([text, s]) => (
                <option key={s} value={s}>{text}</option>
              ))}
            </select>
          </span>
        </label>
        <label className="check">
          <input type="radio" name="when" checked={when === "none"} onChange={() => setWhen("none")} />
          <span>Gracefully, without a deadline: wait for batch jobs to end, however long that takes</span>
        </label>
        <label className="check">
          <input type="radio" name="when" checked={when === "force"} onChange={() => setWhen("force")} />
          <span>At once: stop everything now, then place it elsewhere</span>
        </label>
        <label className="check">
          <input type="checkbox" checked={ignoreSystem} onChange={(e) => setIgnoreSystem(e.target.checked)} />
          <span>Leave allocations of system jobs running{system.length > 0 ? ` (${system.length} here)` : ""}</span>
        </label>
      </fieldset>
      <label className="label">
        <span>Reason <span className="hint">kept with the node, for others</span></span>
        <input className="field" value={message} maxLength={300} placeholder="Kernel upgrade" onChange={(e) => setMessage(e.target.value)} />
      </label>
    </Confirm>
  );
}
