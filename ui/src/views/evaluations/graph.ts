// Evaluations as a graph of cause and effect, and where its parts are drawn.
import type { AllocationListStub, Evaluation, EvaluationStub } from "../../api/types.gen";
import type { Tone } from "../../lib/status";
import { allocationState, evaluationState } from "../../lib/status";

export type Kind = "cause" | "evaluation" | "allocations" | "deployment";

export interface Vertex {
  id: string; // of the object, with its kind before it
  kind: Kind;
  title: string;
  note: string;
  tone: Tone;
  to: { kind: "evaluation" | "job" | "node" | "allocations"; id: string } | undefined;
  current: boolean;
}

export interface Edge {
  from: string;
  to: string;
  text: string;
}

export interface Graph {
  vertices: Vertex[];
  edges: Edge[];
}

/** Why evaluations are made, in words. */
export const triggers: Record<string, string> = {
  "job-register": "job submitted", "job-deregister": "job stopped", "periodic-job": "launched by the clock", "node-drain": "node drained", "node-update": "node changed", "alloc-stop": "allocation stopped", "alloc-failure": "allocation failed",
  scheduled: "it was due", "rolling-update": "rolling update", "deployment-watcher": "deployment goes on", "queued-allocs": "waits for room", preemption: "preempted", "job-scaling": "job scaled", "max-plan-attempts": "plan was refused", "failed-follow-up": "tried again",
  reconnect: "node came back", "max-disconnect-timeout": "node lost", "retry-failed-alloc": "tried again",
};

/** A chain may be very long: more evaluations than these, around the one that is looked at, are not drawn. */
const MOST = 60;

type Any = Evaluation | EvaluationStub;

/** The graph around an evaluation, of what is known of those that it is related to. */
export function graphOf(e: Evaluation, allocations: AllocationListStub[]): Graph {
  const all = new Map<string, Any>([[e.ID, e]]);
  const related = (e.RelatedEvals ?? []).toSorted((a, b) => Math.abs(a.CreateIndex - e.CreateIndex) - Math.abs(b.CreateIndex - e.CreateIndex));
  for (const r of related.slice(0, MOST)) if (!all.has(r.ID)) all.set(r.ID, r);
  const g: Graph = { vertices: [], edges: [] };
  const evaluation = (id: string): string => `evaluation ${id}`;
  const order = [...all.values()].sort((a, b) => a.CreateIndex - b.CreateIndex || (a.ID < b.ID ? -1 : 1));
  for (const x of order) {
    const s = evaluationState(x.Status);
    g.vertices.push({ id: evaluation(x.ID), kind: "evaluation", title: triggers[x.TriggeredBy] ?? x.TriggeredBy, note: `${x.ID.slice(0, 8)} · ${x.Status}`, tone: s.tone, to: { kind: "evaluation", id: x.ID }, current: x.ID === e.ID });
  }
  const link = (from: string, to: string, text: string): void => {
    if (from === to || !all.has(from) || !all.has(to)) return;
    const edge = { from: evaluation(from), to: evaluation(to), text };
    if (!g.edges.some((o) => o.from === edge.from && o.to === edge.to)) g.edges.push(edge);
  };
  for (const x of order) {
    link(x.ID, x.BlockedEval, "not all placed");
    link(x.ID, x.NextEval, x.Status === "failed" ? "tried again" : "then");
    link(x.PreviousEval, x.ID, "then");
  }
  causes(order, g, evaluation);
  outcomes(e, allocations, g, evaluation(e.ID));
  return g;
}

/** What stands at the beginning: a job, or a node. */
function causes(order: Any[], g: Graph, evaluation: (id: string) => string): void {
  for (const x of order) {
    if (g.edges.some((edge) => edge.to === evaluation(x.ID))) continue;
    const node = x.NodeID !== "";
    const id = `cause ${node ? x.NodeID : `${x.Namespace}/${x.JobID}`}`;
    if (!g.vertices.some((v) => v.id === id)) {
      g.vertices.push({ id, kind: "cause", title: node ? "Node" : x.JobID, note: node ? x.NodeID.slice(0, 8) : `${x.Type} job`, tone: "note", to: node ? { kind: "node", id: x.NodeID } : { kind: "job", id: x.JobID }, current: false });
    }
    g.edges.push({ from: id, to: evaluation(x.ID), text: "" });
  }
}

/** What the evaluation has led to: allocations by their state, and groups without a node. */
function outcomes(e: Evaluation, allocations: AllocationListStub[], g: Graph, from: string): void {
  const states = new Map<string, { n: number; tone: Tone }>();
  for (const a of allocations) {
    const s = allocationState(a);
    states.set(s.text, { n: (states.get(s.text)?.n ?? 0) + 1, tone: s.tone });
  }
  const to = { kind: "allocations" as const, id: e.ID };
  for (const [text, s] of states) {
    g.vertices.push({ id: `allocations ${text}`, kind: "allocations", title: `${s.n} ${s.n === 1 ? "allocation" : "allocations"}`, note: text, tone: s.tone, to, current: false });
    g.edges.push({ from, to: `allocations ${text}`, text: "placed" });
  }
  const unplaced = Object.values(e.QueuedAllocations ?? {}).reduce((sum, n) => sum + n, 0);
  if (unplaced > 0 && Object.keys(e.FailedTGAllocs ?? {}).length > 0) {
    g.vertices.push({ id: "unplaced", kind: "allocations", title: `${unplaced} without a node`, note: Object.keys(e.FailedTGAllocs ?? {}).slice(0, 3).join(", "), tone: "warn", to: undefined, current: false });
    g.edges.push({ from, to: "unplaced", text: "" });
  }
}

export interface Placed extends Vertex {
  x: number;
  y: number;
}

export interface Drawing {
  placed: Placed[];
  lines: { path: string; text: string; x: number; y: number; of: Edge }[];
  width: number;
  height: number;
}

export const BOX = { w: 196, h: 54 };
const GAP = { x: 100, y: 18 };
const EDGE = 2;

/** Vertices in layers, each after all that lead to it, from left to right. A circle is cut where it closes. */
export function layered(g: Graph): string[][] {
  const parents = new Map<string, string[]>(g.vertices.map((v) => [v.id, []]));
  for (const e of g.edges) if (parents.has(e.from)) parents.get(e.to)?.push(e.from);
  const depth = new Map<string, number>();
  const open = new Set<string>();
  const of = (id: string): number => {
    const known = depth.get(id);
    if (known !== undefined) return known;
    if (open.has(id)) return -1;
    open.add(id);
    const d = Math.max(0, ...(parents.get(id) ?? []).map((p) => of(p) + 1));
    open.delete(id);
    depth.set(id, d);
    return d;
  };
  const layers: string[][] = [];
  for (const v of g.vertices) (layers[of(v.id)] ??= []).push(v.id);
  const full = Array.from(layers, (l) => l ?? []).filter((l) => l.length > 0);
  return full.map((layer, i) => (i === 0 ? layer : byParents(layer, full[i - 1] as string[], parents)));
}

/** Orders a layer by where the parents are, so that fewer lines cross. */
function byParents(layer: string[], before: string[], parents: Map<string, string[]>): string[] {
  const at = new Map(before.map((id, i) => [id, i]));
  const weight = (id: string): number => {
    const known = (parents.get(id) ?? []).map((p) => at.get(p)).filter((n) => n !== undefined);
    return known.length === 0 ? before.length : known.reduce((s, n) => s + n, 0) / known.length;
  };
  return layer.map((id, i) => ({ id, i, w: weight(id) })).sort((a, b) => a.w - b.w || a.i - b.i).map((x) => x.id);
}

export function drawing(g: Graph): Drawing {
  const layers = layered(g);
  const tallest = Math.max(1, ...layers.map((l) => l.length));
  const height = tallest * (BOX.h + GAP.y) - GAP.y + 2 * EDGE;
  const placed: Placed[] = [];
  const vertices = new Map(g.vertices.map((v) => [v.id, v]));
  layers.forEach((layer, i) => {
    const top = (height - (layer.length * (BOX.h + GAP.y) - GAP.y)) / 2;
    layer.forEach((id, j) => placed.push({ ...(vertices.get(id) as Vertex), x: EDGE + i * (BOX.w + GAP.x), y: top + j * (BOX.h + GAP.y) }));
  });
  const at = new Map(placed.map((p) => [p.id, p]));
  const lines = g.edges.flatMap((e) => {
    const [a, b] = [at.get(e.from), at.get(e.to)];
    if (a === undefined || b === undefined || b.x <= a.x) return [];
    const [x1, y1, x2, y2] = [a.x + BOX.w, a.y + BOX.h / 2, b.x - 5, b.y + BOX.h / 2];
    const bend = Math.min(40, (x2 - x1) / 2);
    return [{ path: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, text: e.text, x: (x1 + x2) / 2, y: (y1 + y2) / 2 - 6, of: e }];
  });
  return { placed, lines, width: layers.length * (BOX.w + GAP.x) - GAP.x + 2 * EDGE, height };
}

/** The vertex that a key leads to: along a line, or to the one above or below in the layer. */
export function step(g: Graph, from: string, key: string): string | undefined {
  if (key === "ArrowRight") return g.edges.find((e) => e.from === from)?.to;
  if (key === "ArrowLeft") return g.edges.find((e) => e.to === from)?.from;
  const layer = layered(g).find((l) => l.includes(from)) ?? [];
  const at = layer.indexOf(from);
  return key === "ArrowDown" ? layer[at + 1] : key === "ArrowUp" ? layer[at - 1] : undefined;
}
