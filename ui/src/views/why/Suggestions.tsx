import type { PlacementSuggestion } from "../../api/types.gen";
import { Name, Tag } from "../../components/Status";

/** Changes with which the scheduler places what it could not, the smallest first. */
export function Suggestions({ list }: { list: PlacementSuggestion[] }) {
  return (
    <div>
      <h3>What would help, the smallest change first</h3>
      <ol className="suggestions">
        {list.map((s, i) => (
          <li key={i}>
            <span className="num faint">{i + 1}</span>
            <span className="grow break">
              <Name>{s.Text}</Name>
              {s.Preempts && Object.keys(s.Preempts).length > 0 && <span className="dim"> takes from {Object.entries(s.Preempts).map(([job, n]) => `${job} (${n})`).join(", ")}</span>}
            </span>
            <Tag tone={s.Places >= s.Of ? "ok" : "warn"}>{s.Places >= s.Of ? (s.Of === 1 ? "places it" : `places all ${s.Of}`) : `places ${s.Places} of ${s.Of}`}</Tag>
          </li>
        ))}
      </ol>
      <p className="faint">Each was tried: the scheduler was asked again with that one change.</p>
    </div>
  );
}
