// Which reads an event concerns. A view that reads a new operation adds a line
// here; what has no line is fetched again only when the stream begins anew.
import type { Params } from "../api/client";
import type { OperationName } from "../api/types.gen";
import { jobOf, type LiveEvent } from "./event";

type Concerns<K extends OperationName> = (e: LiveEvent, params: Params<K>) => boolean;

const topic =
  (...names: string[]) =>
  (e: LiveEvent): boolean =>
    names.includes(e.Topic);

/** Events of one job, of the given topics. */
const ofJob =
  (...names: string[]) =>
  (e: LiveEvent, p: { id: string; namespace?: string }): boolean =>
    names.includes(e.Topic) && jobOf(e) === p.id && (p.namespace === undefined || (e.Namespace ?? "default") === p.namespace);

const keyed =
  (name: string) =>
  (e: LiveEvent, p: { id: string }): boolean =>
    e.Topic === name && e.Key === p.id;

const field = (e: LiveEvent, name: string): unknown => (e.Payload[e.Topic] as Record<string, unknown> | undefined)?.[name];

export const affected: { [K in OperationName]?: Concerns<K> } = {
  "Jobs.List": topic("Job", "Allocation", "Evaluation"),
  "Job.Read": ofJob("Job"),
  "Job.Versions": ofJob("Job"),
  "Job.Submission": ofJob("Job"),
  "Job.Summary": ofJob("Job", "Allocation", "Evaluation"),
  "Job.Allocations": ofJob("Job", "Allocation"),
  "Job.Evaluations": ofJob("Evaluation"),
  "Job.Deployments": ofJob("Deployment"),
  "Job.Deployment": ofJob("Deployment"),
  "Job.ScaleStatus": ofJob("Job", "Allocation"),
  "Job.Why": ofJob("Job", "Allocation", "Evaluation"),
  "Allocations.List": topic("Allocation"),
  "Allocation.Read": keyed("Allocation"),
  "Allocation.Why": keyed("Allocation"),
  "Evaluations.List": topic("Evaluation"),
  "Evaluation.Read": (e, p) => e.Topic === "Evaluation" && (e.Key === p.id || ["PreviousEval", "NextEval", "BlockedEval"].some((f) => field(e, f) === p.id)),
  "Evaluation.Allocations": (e, p) => e.Topic === "Allocation" && field(e, "EvalID") === p.id,
  "Deployments.List": topic("Deployment"),
  "Deployment.Read": keyed("Deployment"),
  "Deployment.Allocations": (e, p) => e.Topic === "Allocation" && field(e, "DeploymentID") === p.id,
  "Nodes.List": topic("Node"),
  "Nodes.Usage": topic("Allocation"),
  "Node.Read": keyed("Node"),
  "Node.Allocations": (e, p) => e.Topic === "Allocation" && field(e, "NodeID") === p.id,
  "NodePools.List": topic("NodePool"),
};

/** Says whether an event concerns a read. */
export function concerns(op: OperationName, params: unknown, e: LiveEvent): boolean {
  const f = affected[op] as ((e: LiveEvent, p: unknown) => boolean) | undefined;
  return f !== undefined && f(e, params);
}
