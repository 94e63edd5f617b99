import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { useAct, useRead } from "../../api/query";
import type { AllocationListStub, DrainMetadata, DrainStrategy, Node } from "../../api/types.gen";
import { Callout, Time } from "../../components/Basics";
import { AllocationLink, JobLink, NodeLink } from "../../components/Links";
import { Menu } from "../../components/Menu";
import { Icon } from "../../components/Icon";
import { Badge, Glyph, Name } from "../../components/Status";
import { count, plural, span } from "../../lib/format";
import { allocationState } from "../../lib/status";
import { at, useNow } from "../../lib/time";
import { progress } from "./drain";

/** The drain that is going on, or the one that has left the node ineligible. */
export function DrainPanel({ n, allocations }: { n: Node; allocations: AllocationListStub[] }) {
  if (n.DrainStrategy !== null) return <Draining n={n} strategy={n.DrainStrategy} allocations={allocations} />;
  if (n.LastDrain !== null && n.SchedulingEligibility === "ineligible") return <Drained n={n} last={n.LastDrain} />;
  return null;
}

function Draining({ n, strategy, allocations }: { n: Node; strategy: DrainStrategy; allocations: AllocationListStub[] }) {
  const p = progress(strategy, allocations);
  const may = useMay();
  const message = n.LastDrain?.Meta?.message;
  return (
    <section className="panel drain" aria-label="Drain">
      <header>
        <Glyph tone="busy" />
        <h2>Draining</h2>
        <span className="grow" />
        {may("Node.Drain") && <Stop n={n} />}
      </header>
      <div className="body stack">
        <div className="drain-figures" role="status">
          <span><b>{count(p.left.length)}</b> left</span>
          <span><b>{count(p.moved.length)}</b> moved or ended</span>
          <span className="dim">began <Time at={strategy.StartedAt} /></span>
          <Deadline at={p.deadline} forced={p.forced} />
        </div>
        <span className="bar thick" role="progressbar" aria-label="Drained" aria-valuemin={0} aria-valuemax={p.total} aria-valuenow={p.moved.length}>
          {p.moved.length > 0 && <i className="tone-ok" style={{ flexGrow: p.moved.length }} />}
          {p.left.length > 0 && <i className="rest-part" style={{ flexGrow: p.left.length }} />}
        </span>
        {message !== undefined && <p className="dim">Reason: <Name>{message}</Name></p>}
        <ul className="list-lines">
          {[...p.left.slice(0, 12), ...p.moved.slice(0, 6)].map((a) => (
            <Line key={a.ID} a={a} />
          ))}
          {p.left.length > 12 && <li className="faint">and {plural(p.left.length - 12, "more allocation")} to move</li>}
          {p.total === 0 && <li className="dim">Nothing has to move.</li>}
        </ul>
      </div>
    </section>
  );
}

function Deadline({ at: t, forced }: { at: number | undefined; forced: boolean }) {
  const now = useNow();
  if (forced) return <span>at once</span>;
  if (t === undefined) return <span className="dim">no deadline</span>;
  return t > now ? <span>what is left is stopped in <b>{span(t - now)}</b></span> : <span>the deadline is over: what is left is being stopped</span>;
}

function Line({ a }: { a: AllocationListStub }) {
  return (
    <li>
      <Badge state={allocationState(a)} />
      <span className="link"><AllocationLink id={a.ID} /></span>
      <span className="cut grow"><JobLink namespace={a.Namespace} id={a.JobID} /> <span className="dim"><Name>{a.TaskGroup}</Name></span></span>
      {a.NextAllocation !== "" && <Next id={a.NextAllocation} />}
    </li>
  );
}

/** Where the replacement of an allocation is. */
function Next({ id }: { id: string }) {
  const read = useRead("Allocation.Read", { id });
  const a = read.data;
  if (a === undefined) return <span className="faint">placed elsewhere</span>;
  return (
    <span className="row dim">
      <Icon name="right" /> <span className="link"><NodeLink id={a.NodeID} name={a.NodeName} /></span>
      <Badge state={allocationState(a)} />
    </span>
  );
}

function Stop({ n }: { n: Node }) {
  const stop = useAct(
    (eligible: boolean) => call("Node.Drain", { id: n.ID }, { NodeID: n.ID, DrainSpec: null, MarkEligible: eligible }),
    (_r, eligible) => `The drain has ended. ${n.Name} ${eligible ? "takes new allocations again" : "stays ineligible"}.`,
  );
  return (
    <Menu entries={[{ label: "Stop, and take new allocations again", act: () => stop.mutate(true) }, { label: "Stop, and stay ineligible", act: () => stop.mutate(false) }]}>
      <button type="button" className="button small" disabled={stop.isPending}>
        Stop the drain
        <Icon name="down" />
      </button>
    </Menu>
  );
}

function Drained({ n, last }: { n: Node; last: DrainMetadata }) {
  const may = useMay();
  const enable = useAct(() => call("Node.Eligibility", { id: n.ID }, { NodeID: n.ID, Eligibility: "eligible" }), () => `${n.Name} takes new allocations again.`);
  const message = last.Meta?.message;
  return (
    <Callout tone={last.Status === "complete" ? "ok" : "warn"} actions={may("Node.Eligibility") ? <button type="button" className="button small" disabled={enable.isPending} onClick={() => enable.mutate()}>Make eligible</button> : undefined}>
      <b>{last.Status === "complete" ? "The node is drained" : `Its last drain was ${last.Status}`}</b>, <Time at={last.UpdatedAt} />
      {at(last.StartedAt) !== undefined && <span className="dim"> (took {span(Math.max(0, (at(last.UpdatedAt) ?? 0) - (at(last.StartedAt) ?? 0)))})</span>}. It takes no new allocations.{message !== undefined && <> Reason: <Name>{message}</Name></>}
    </Callout>
  );
}
