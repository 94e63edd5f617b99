import type { NearestNode, PlacementFunnel } from "../../api/types.gen";
import { NodeLink } from "../../components/Links";
import { Name } from "../../components/Status";
import { count } from "../../lib/format";

/** What became of every node, step by step: what a step removes is not looked at by those after it. */
export function Funnel({ funnel: f }: { funnel: PlacementFunnel }) {
  const steps = (f.Steps ?? []).filter((s) => s.Removed > 0);
  const quiet = (f.Steps ?? []).length - steps.length;
  return (
    <div className="funnel" role="list" aria-label="What became of every node">
      <Step text="nodes in the cluster" left={f.Nodes} of={f.Nodes} />
      {steps.map((s, i) => (
        <Step key={i} text={s.Reason} left={s.Left} of={f.Nodes} removed={s.Removed} detail={s.Detail ?? null} />
      ))}
      {quiet > 0 && <p className="faint">{quiet === 1 ? "One more step removes" : `${quiet} more steps remove`} nothing.</p>}
      <p className={f.Candidates > 0 ? "tone-ok funnel-end" : "tone-warn funnel-end"}>{f.Candidates === 0 ? "No node is left." : f.Candidates === 1 ? "One node can take it." : `${count(f.Candidates)} nodes can take it.`}</p>
      {f.Nearest && <Nearest node={f.Nearest} />}
    </div>
  );
}

function Step({ text, left, of, removed = 0, detail }: { text: string; left: number; of: number; removed?: number; detail?: Record<string, number> | null }) {
  const share = (n: number): string => `${of === 0 ? 0 : (n / of) * 100}%`;
  return (
    <div className="funnel-step" role="listitem">
      <span className="grow break">
        <Name>{text}</Name>
        {detail && Object.keys(detail).length > 1 && <span className="faint"> {Object.entries(detail).slice(0, 6).map(([k, n]) => `${k} ${n}`).join(", ")}</span>}
      </span>
      <span className="num nowrap">
        {removed > 0 && <span className="tone-bad funnel-removed">−{count(removed)}</span>} {count(left)}
      </span>
      <span className="funnel-bar">
        <i style={{ width: share(left) }} />
        {removed > 0 && <i className="removed" style={{ width: share(removed) }} />}
      </span>
    </div>
  );
}

function Nearest({ node }: { node: NearestNode }) {
  return (
    <div className="nearest">
      <p>
        Nearest: <b><NodeLink id={node.NodeID} name={node.NodeName} /></b> lacks
      </p>
      {(node.Short ?? []).map((s) => (
        <p key={s.Dimension} className="dim">
          <b>{count(s.Missing)} {s.Unit ?? ""}</b> of <Name>{s.Dimension}</Name>: {count(s.Asked)} asked, {count(s.Free)} of {count(s.Has)} free
          {(s.HeldBy ?? []).length > 0 && <> (held by <Name>{(s.HeldBy ?? []).slice(0, 5).join(", ")}</Name>)</>}
        </p>
      ))}
    </div>
  );
}
