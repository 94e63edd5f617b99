import type { NodeScoreMeta } from "../../api/types.gen";
import { NodeLink } from "../../components/Links";
import { Name } from "../../components/Status";

/** The best nodes with what they score, best first. */
export function Scores({ scores, names, chosen = "" }: { scores: NodeScoreMeta[]; names: Record<string, string>; chosen?: string }) {
  return (
    <div>
      <h3>Best nodes</h3>
      <ol className="scores">
        {scores.slice(0, 8).map((s) => (
          <li key={s.NodeID} className={s.NodeID === chosen ? "chosen" : ""}>
            <span className="cut"><NodeLink id={s.NodeID} name={names[s.NodeID] ?? ""} /></span>
            <span className="cut dim grow"><Name>{Object.entries(s.Scores ?? {}).filter(([, n]) => n !== 0).map(([k, n]) => `${k} ${n.toFixed(2)}`).join(" · ")}</Name></span>
            <b className="num">{s.NormScore.toFixed(3)}</b>
          </li>
        ))}
      </ol>
    </div>
  );
}
