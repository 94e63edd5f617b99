// What states mean: a word and a tone for each.
import type { AllocationListStub, JobListStub, TaskGroupSummary } from "../api/types.gen";

export type Tone = "ok" | "busy" | "warn" | "bad" | "note" | "off";

export interface State {
  tone: Tone;
  text: string;
}

const allocations: Record<string, Tone> = { running: "ok", pending: "busy", complete: "off", failed: "bad", lost: "bad", unknown: "warn" };

export type AllocationLike = Pick<AllocationListStub, "ClientStatus" | "DesiredStatus" | "DeploymentStatus">;

/** The state of an allocation, as the client and the servers see it together. */
export function allocationState(a: AllocationLike): State {
  const ended = ["complete", "failed", "lost"].includes(a.ClientStatus);
  if (!ended && (a.DesiredStatus === "stop" || a.DesiredStatus === "evict")) return { tone: "warn", text: "stopping" };
  if (a.ClientStatus === "running" && a.DeploymentStatus?.Healthy === false) return { tone: "warn", text: "unhealthy" };
  return { tone: allocations[a.ClientStatus] ?? "off", text: a.ClientStatus };
}

export interface Counts {
  running: number;
  starting: number;
  queued: number;
  failed: number;
  lost: number;
  unknown: number;
  complete: number;
}

export function sum(groups: Record<string, TaskGroupSummary> | null | undefined): Counts {
  const c: Counts = { running: 0, starting: 0, queued: 0, failed: 0, lost: 0, unknown: 0, complete: 0 };
  for (const g of Object.values(groups ?? {})) {
    c.running += g.Running;
    c.starting += g.Starting;
    c.queued += g.Queued;
    c.failed += g.Failed;
    c.lost += g.Lost;
    c.unknown += g.Unknown;
    c.complete += g.Complete;
  }
  return c;
}

export const countTones: [keyof Counts, Tone, string][] = [
  ["running", "ok", "running"],
  ["starting", "busy", "starting"],
  ["queued", "warn", "unplaced"],
  ["unknown", "note", "unknown"],
  ["failed", "bad", "failed"],
  ["lost", "bad", "lost"],
  ["complete", "off", "complete"],
];

/** The parts of a status bar: what counts now, and what has ended only where nothing else is. */
export function parts(c: Counts, past: boolean): { key: keyof Counts; tone: Tone; text: string; n: number }[] {
  const ended: (keyof Counts)[] = ["failed", "lost", "complete"];
  return countTones
    .map(([key, tone, text]) => ({ key, tone, text, n: c[key] }))
    .filter((p) => p.n > 0 && (past || !ended.includes(p.key)));
}

type JobLike = Pick<JobListStub, "Status" | "Stop" | "Type" | "Periodic" | "ParameterizedJob">;

/** The state of a job in one word. */
export function jobState(j: JobLike, c: Counts): State {
  if (j.Stop) return { tone: "off", text: j.Status === "dead" ? "stopped" : "stopping" };
  if (j.Periodic) return { tone: "note", text: "periodic" };
  if (j.ParameterizedJob) return { tone: "note", text: "dispatched" };
  if (j.Status === "dead") {
    if (j.Type === "batch" || j.Type === "sysbatch") return c.failed > 0 || c.lost > 0 ? { tone: "bad", text: "failed" } : { tone: "off", text: "complete" };
    return { tone: "bad", text: "dead" };
  }
  if (c.queued > 0) return { tone: "warn", text: c.running > 0 ? "degraded" : "unplaced" };
  if (c.unknown > 0) return { tone: "warn", text: "disconnected" };
  if (c.starting > 0) return { tone: "busy", text: "starting" };
  if (c.running > 0) return { tone: "ok", text: "running" };
  return { tone: "busy", text: j.Status };
}

const evaluations: Record<string, Tone> = { blocked: "warn", pending: "busy", complete: "ok", failed: "bad", canceled: "off" };
export const evaluationState = (status: string): State => ({ tone: evaluations[status] ?? "off", text: status });

const deployments: Record<string, Tone> = {
  running: "busy", paused: "warn", failed: "bad", successful: "ok", cancelled: "off", pending: "busy", blocked: "warn", unblocking: "busy",
};
export const deploymentState = (status: string): State => ({ tone: deployments[status] ?? "off", text: status });

const tasks: Record<string, Tone> = { pending: "busy", running: "ok", dead: "off" };
export function taskState(t: { State: string; Failed: boolean; Suspended?: boolean } | undefined): State {
  if (t === undefined) return { tone: "busy", text: "pending" };
  if (t.State === "dead") return t.Failed ? { tone: "bad", text: "failed" } : { tone: "off", text: "ended" };
  if (t.Suspended) return { tone: "note", text: "suspended" };
  return { tone: tasks[t.State] ?? "off", text: t.State };
}

/** The state of a node. */
export function nodeState(n: { Status: string; SchedulingEligibility: string; Drain: boolean }): State {
  if (n.Status !== "ready") return { tone: n.Status === "down" ? "bad" : n.Status === "disconnected" ? "warn" : "busy", text: n.Status };
  if (n.Drain) return { tone: "busy", text: "draining" };
  if (n.SchedulingEligibility === "ineligible") return { tone: "warn", text: "ineligible" };
  return { tone: "ok", text: "ready" };
}
