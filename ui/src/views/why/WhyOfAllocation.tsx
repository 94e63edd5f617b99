import { useRead } from "../../api/query";
import type { AllocWhy, AllocationMetric } from "../../api/types.gen";
import { Callout, Facts, Panel, Shown } from "../../components/Basics";
import { Name } from "../../components/Status";
import { count } from "../../lib/format";
import { Funnel } from "./Funnel";
import { Scores } from "./Scores";
import { Group } from "./WhyOfJob";
import "./why.css";

export function WhyOfAllocation({ id }: { id: string }) {
  const read = useRead("Allocation.Why", { id });
  return (
    <Shown read={read} what="reason" lines={8}>
      {(w) => <Told why={w} />}
    </Shown>
  );
}

function Told({ why: w }: { why: AllocWhy }) {
  const bad = w.ClientStatus === "failed" || w.ClientStatus === "lost";
  return (
    <>
      <Callout tone={bad ? "bad" : w.ClientStatus === "running" ? "ok" : "busy"}>
        <b><Name>{w.Summary}</Name></b>
        {(w.Notes ?? []).map((n) => (
          <p key={n} className="dim"><Name>{n}</Name></p>
        ))}
      </Callout>
      <div className="columns">
        {w.Recorded && <Recorded m={w.Recorded} w={w} />}
        {w.Now && (
          <Panel title="If it were placed now">
            <div className="stack">
              <Funnel funnel={w.Now} />
              {(w.Scores ?? []).length > 0 && <Scores scores={w.Scores ?? []} names={w.NodeNames ?? {}} chosen={w.NodeID} />}
            </div>
          </Panel>
        )}
      </div>
      {w.Group && <Group group={w.Group} />}
    </>
  );
}

function Recorded({ m, w }: { m: AllocationMetric; w: AllocWhy }) {
  const ruled = [...Object.entries(m.ConstraintFiltered ?? {}), ...Object.entries(m.DimensionExhausted ?? {})];
  return (
    <Panel title="When it was placed">
      <div className="stack">
        <Facts>
          {[
            ["Nodes looked at", count(m.NodesEvaluated)],
            ["Ruled out", count(m.NodesFiltered)],
            ["Without room", count(m.NodesExhausted)],
            ...ruled.slice(0, 12).map(([k, n]): [string, string] => [k, count(n)]),
          ]}
        </Facts>
        {(m.ScoreMetaData ?? []).length > 0 && <Scores scores={m.ScoreMetaData ?? []} names={w.NodeNames ?? {}} chosen={w.NodeID} />}
      </div>
    </Panel>
  );
}
