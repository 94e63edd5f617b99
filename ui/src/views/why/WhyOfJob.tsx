// Why a job runs as it does, as the scheduler itself tells it.
import { useRead } from "../../api/query";
import type { GroupWhy, JobWhy } from "../../api/types.gen";
import { Callout, Panel, Shown } from "../../components/Basics";
import { Badge, Name } from "../../components/Status";
import { plural } from "../../lib/format";
import { Funnel } from "./Funnel";
import { Scores } from "./Scores";
import { Suggestions } from "./Suggestions";
import "./why.css";

export function WhyOfJob({ namespace, id }: { namespace: string; id: string }) {
  const read = useRead("Job.Why", { namespace, id });
  return (
    <Shown read={read} what="reason" lines={8}>
      {(w) => <Told why={w} />}
    </Shown>
  );
}

function Told({ why }: { why: JobWhy }) {
  const well = (why.Groups ?? []).every((g) => g.Unplaced === 0);
  return (
    <>
      <Callout tone={well ? "ok" : "warn"}>
        <b><Name>{why.Summary}</Name></b>
        {(why.Notes ?? []).map((n) => (
          <p key={n} className="dim">{n}</p>
        ))}
      </Callout>
      {(why.Groups ?? []).slice(0, 100).map((g) => (
        <Group key={g.Name} group={g} said={[why.Summary, ...(why.Notes ?? [])]} />
      ))}
      {(why.Groups ?? []).length > 100 && <p className="dim">and {plural((why.Groups ?? []).length - 100, "more group")}.</p>}
    </>
  );
}

/** said are sentences that stand above already. */
export function Group({ group: g, said = [] }: { group: GroupWhy; said?: string[] }) {
  const tone = g.Unplaced > 0 ? "warn" : g.Starting > 0 ? "busy" : "ok";
  return (
    <Panel title={<span className="row wrap">Group <Name>{g.Name}</Name> <Badge boxed state={{ tone, text: `${g.Running} of ${g.Wanted} running${g.Unplaced > 0 ? `, ${g.Unplaced} without a node` : ""}` }} /></span>}>
      <div className="why">
        <div className="stack">
          {g.Summary !== "" && !said.includes(g.Summary) && <p>{g.Summary}</p>}
          {(g.Notes ?? []).filter((n) => !said.includes(n)).map((n) => (
            <p key={n} className="dim">{n}</p>
          ))}
          {g.Unplaced > 0 && (g.Suggestions ?? []).length === 0 && <p>No single change of the job or of a node would place them: the scheduler has tried.</p>}
          {(g.Suggestions ?? []).length > 0 && <Suggestions list={g.Suggestions ?? []} />}
          {(g.Scores ?? []).length > 0 && <Scores scores={g.Scores ?? []} names={{}} />}
        </div>
        {g.Funnel && <Funnel funnel={g.Funnel} />}
      </div>
    </Panel>
  );
}
