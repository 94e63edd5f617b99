import { Link, getRouteApi } from "@tanstack/react-router";
import { useRead } from "../../api/query";
import type { AllocationMetric, Evaluation } from "../../api/types.gen";
import { Callout, Empty, Facts, ID, PageHead, Panel, Shown, Time, useTitle } from "../../components/Basics";
import { EvaluationLink, JobLink, NodeLink, jobLink } from "../../components/Links";
import { Badge, Name } from "../../components/Status";
import { count, plural, short, span } from "../../lib/format";
import { evaluationState } from "../../lib/status";
import { at } from "../../lib/time";
import { AllocationsTable } from "../allocations/AllocationsTable";
import { Funnel } from "../why/Funnel";
import "../why/why.css";
import { EvaluationGraph } from "./EvaluationGraph";
import { funnelOf } from "./funnel";
import { triggers } from "./graph";
import "./evaluations.css";

const route = getRouteApi("/evaluations/$eval");

export function EvaluationPage() {
  const { eval: id } = route.useParams();
  const read = useRead("Evaluation.Read", { id, related: true });
  const allocations = useRead("Evaluation.Allocations", { id });
  useTitle(`Evaluation ${short(id)}`);
  return (
    <div className="page">
      <Shown read={read} what="evaluation" lines={8}>
        {(e) => (
          <>
            <Head e={e} />
            <Outcome e={e} placed={allocations.data?.length} />
            <Panel title="Cause and effect" flush>
              <EvaluationGraph e={e} allocations={allocations.data ?? []} />
            </Panel>
            <Failures e={e} />
            <div className="evaluation-columns">
              <Panel title="Allocations" {...(allocations.data ? { count: count(allocations.data.length) } : {})} flush>
                <Shown read={allocations} what="allocations">
                  {(list) => <AllocationsTable rows={list} job={false} keys empty={<Empty icon="terminal" title="It has changed no allocation" />} />}
                </Shown>
              </Panel>
              <About e={e} />
            </div>
          </>
        )}
      </Shown>
    </div>
  );
}

function Head({ e }: { e: Evaluation }) {
  return (
    <PageHead
      title={<>Evaluation of <Name>{e.JobID}</Name></>}
      badge={<Badge state={evaluationState(e.Status)} boxed />}
      sub={
        <>
          <ID id={e.ID} />
          <span>job <span className="link"><JobLink namespace={e.Namespace} id={e.JobID} /></span></span>
          <span>cause: <Name>{triggers[e.TriggeredBy] ?? e.TriggeredBy}</Name></span>
          <span>made <Time at={e.CreateTime} /></span>
          {e.Status === "complete" && <span>took {took(e)}</span>}
        </>
      }
    />
  );
}

function took(e: Evaluation): string {
  const ms = Math.max(0, (e.ModifyTime - e.CreateTime) / 1e6);
  return ms < 1000 ? `${Number(ms.toPrecision(2))} ms` : span(ms);
}

/** What became of it, in a sentence. */
function Outcome({ e, placed }: { e: Evaluation; placed: number | undefined }) {
  const unplaced = Object.values(e.QueuedAllocations ?? {}).reduce((s, n) => s + n, 0);
  const failed = Object.keys(e.FailedTGAllocs ?? {}).length > 0;
  if (e.Status === "blocked") return <Callout tone="warn"><b>It waits</b> until a node has room or changes so that the job fits: then it is looked at again, by itself. {e.StatusDescription !== "" && <span className="dim"><Name>{e.StatusDescription}</Name></span>}</Callout>;
  if (e.Status === "failed") return <Callout tone="bad"><b>The evaluation failed.</b> <Name>{e.StatusDescription}</Name> {e.NextEval !== "" && <>It is tried again: <span className="link"><EvaluationLink id={e.NextEval} /></span></>}</Callout>;
  if (e.Status === "canceled") return <Callout tone="off">Another evaluation of the job has taken its place. <span className="dim"><Name>{e.StatusDescription}</Name></span></Callout>;
  if (e.Status === "pending") return <Callout tone="busy">{at(e.WaitUntil) === undefined ? "The scheduler has not yet looked at it." : <>It is looked at <Time at={e.WaitUntil} />.</>}</Callout>;
  if (failed) {
    return (
      <Callout tone="warn" actions={<Link {...jobLink(e.Namespace, e.JobID, { tab: "why" })} className="button small">What would help now</Link>}>
        <b>{plural(unplaced, "allocation")} {unplaced === 1 ? "has" : "have"} no node.</b> {e.BlockedEval !== "" && <>The rest waits in <span className="link"><EvaluationLink id={e.BlockedEval} /></span></>}
      </Callout>
    );
  }
  if (placed === undefined) return null;
  return <Callout tone="ok">{placed === 0 ? "Everything was as it should be: nothing had to change." : <>Everything found a place: {plural(placed, "allocation")}.</>}</Callout>;
}

const MAX_GROUPS = 50;

/** Why groups have no node: what became of every node that was looked at. */
function Failures({ e }: { e: Evaluation }) {
  const groups = Object.entries(e.FailedTGAllocs ?? {});
  if (groups.length === 0) return null;
  return (
    <div className="columns">
      {groups.slice(0, MAX_GROUPS).map(([name, m]) => (
        <Panel key={name} title={<span>Why <Name>{name}</Name> was not placed</span>} count={plural(m.CoalescedFailures + 1, "allocation")}>
          <Failure m={m} />
        </Panel>
      ))}
      {groups.length > MAX_GROUPS && <p className="dim">and {plural(groups.length - MAX_GROUPS, "more group")}</p>}
    </div>
  );
}

function Failure({ m }: { m: AllocationMetric }) {
  const f = funnelOf(m);
  return (
    <div className="stack">
      {f.Nodes === 0 && <p>No node was looked at: the pool <b><Name>{m.NodePool}</Name></b> has no node that is ready in the job’s datacenters{Object.keys(m.NodesAvailable ?? {}).length > 0 && <> (<Name>{Object.keys(m.NodesAvailable ?? {}).join(", ")}</Name>)</>}.</p>}
      {f.Nodes > 0 && <Funnel funnel={f} />}
      {(m.QuotaExhausted ?? []).length > 0 && <p>The namespace’s quota is used up: <Name>{(m.QuotaExhausted ?? []).join(", ")}</Name></p>}
    </div>
  );
}

function About({ e }: { e: Evaluation }) {
  const facts: [string, React.ReactNode][] = [["Type", e.Type], ["Priority", e.Priority], ["Namespace", <Name key="n">{e.Namespace}</Name>], ["State seen", `index ${e.SnapshotIndex}`], ["Changed", <Time key="c" at={e.ModifyTime} />]];
  if (e.NodeID !== "") facts.push(["Node", <span key="node" className="link"><NodeLink id={e.NodeID} /></span>]);
  if (e.DeploymentID !== "") facts.push(["Deployment", <ID key="d" id={e.DeploymentID} />]);
  if (e.PreviousEval !== "") facts.push(["Before", <span key="p" className="link"><EvaluationLink id={e.PreviousEval} /></span>]);
  if (e.NextEval !== "") facts.push(["After", <span key="x" className="link"><EvaluationLink id={e.NextEval} /></span>]);
  if (e.BlockedEval !== "") facts.push(["Waits in", <span key="b" className="link"><EvaluationLink id={e.BlockedEval} /></span>]);
  return (
    <Panel title="Facts">
      <Facts>{facts}</Facts>
    </Panel>
  );
}
