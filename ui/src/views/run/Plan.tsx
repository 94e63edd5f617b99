// What a job would do: where its allocations would go, and what differs.
import type { AllocationMetric, DesiredUpdates, Job, JobPlanResponse } from "../../api/types.gen";
import { Callout, Panel, Time } from "../../components/Basics";
import { Diff } from "../../components/Diff";
import { AllocationLink } from "../../components/Links";
import { Name, Tag } from "../../components/Status";
import type { Tone } from "../../lib/status";
import { plural } from "../../lib/format";
import { at } from "../../lib/time";

const kinds: [keyof DesiredUpdates, string, Tone][] = [
  ["Place", "to place", "ok"],
  ["Canary", "canaries", "note"],
  ["InPlaceUpdate", "updated in place", "busy"],
  ["DestructiveUpdate", "replaced", "warn"],
  ["Migrate", "moved", "warn"],
  ["Stop", "stopped", "bad"],
  ["Preemptions", "preempted", "bad"],
  ["Ignore", "unchanged", "off"],
];

export function Plan({ plan, job }: { plan: JobPlanResponse; job: Job }) {
  const updates = Object.entries(plan.Annotations?.DesiredTGUpdates ?? {});
  const failed = Object.entries(plan.FailedTGAllocs ?? {});
  const preempted = plan.Annotations?.PreemptedAllocs ?? [];
  const next = at(plan.NextPeriodicLaunch);
  return (
    <>
      <Panel title={<>What would happen</>}>
        <div className="stack tight">
          {next !== undefined && <p>It is launched next <Time ms={next} />.</p>}
          {updates.length === 0 && next === undefined && <p className="dim">Nothing is placed or stopped now.</p>}
          {updates.slice(0, 100).map(([group, u]) => (
            <div key={group} className="row wrap">
              <b className="plan-group"><Name>{group}</Name></b>
              {kinds.filter(([k]) => u[k] > 0).map(([k, text, tone]) => (
                <Tag key={k} tone={tone}>{u[k]} {text}</Tag>
              ))}
            </div>
          ))}
          {updates.length > 100 && <p className="dim">and {plural(updates.length - 100, "more group")}.</p>}
          {failed.length === 0 ? (
            <Callout tone="ok">Every allocation finds a node.</Callout>
          ) : (
            failed.slice(0, 20).map(([group, m]) => <Unplaced key={group} group={group} metric={m} />)
          )}
          {preempted.length > 0 && (
            <Callout tone="warn">
              It takes the place of {plural(preempted.length, "allocation")}: {preempted.slice(0, 10).map((a) => <span key={a.ID}><AllocationLink id={a.ID} /> of <Name>{a.JobID}</Name> </span>)}
            </Callout>
          )}
        </div>
      </Panel>
      <Panel title={plan.Diff?.Type === "Added" ? "New job" : "Differences"} flush>
        {plan.Diff ? <Diff diff={plan.Diff} /> : <p className="faint diff-none">Nothing differs.</p>}
      </Panel>
      <p className="faint">Job <Name>{job.ID}</Name>, planned on the state of now.</p>
    </>
  );
}

function Unplaced({ group, metric: m }: { group: string; metric: AllocationMetric }) {
  const reasons = [
    ...Object.entries(m.ConstraintFiltered ?? {}).map(([c, n]) => `${plural(n, "node")} ruled out by ${c}`),
    ...Object.entries(m.ClassFiltered ?? {}).map(([c, n]) => `${plural(n, "node")} of class ${c || "none"} ruled out`),
    ...Object.entries(m.DimensionExhausted ?? {}).map(([d, n]) => `${plural(n, "node")} without enough ${d}`),
  ];
  return (
    <Callout tone="warn">
      <b>
        {plural(m.CoalescedFailures + 1, "allocation")} of <Name>{group}</Name> would find no node.
      </b>
      <ul>
        {m.NodesEvaluated === 0 && <li>No node is in reach: see its datacenters and node pool.</li>}
        {reasons.map((r) => (
          <li key={r}><Name>{r}</Name></li>
        ))}
      </ul>
    </Callout>
  );
}
