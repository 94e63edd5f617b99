// What the map shows of nodes and their allocations.
import type { NodeListStub } from "../../api/types.gen";
import { nodeState } from "../../lib/status";
import { amounts, capacity, share, type Amounts, type NodeUse } from "../nodes/usage";
import type { Cell, Part } from "./draw";

export type Measure = keyof Amounts;

export const measures: { id: Measure; text: string }[] = [
  { id: "cpu", text: "CPU" },
  { id: "memory", text: "Memory" },
  { id: "disk", text: "Disk" },
  { id: "devices", text: "Devices" },
];

const META = "meta.";
const MAX_META = 30;

/** What nodes can be grouped by: their places, and the meta that some of them have. */
export function groupings(nodes: NodeListStub[]): { id: string; text: string }[] {
  const keys = new Map<string, number>();
  for (const n of nodes) for (const k of Object.keys(n.Meta ?? {})) keys.set(k, (keys.get(k) ?? 0) + 1);
  const meta = [...keys].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MAX_META).map(([k]) => ({ id: META + k, text: k }));
  return [{ id: "datacenter", text: "Datacenter" }, { id: "pool", text: "Node pool" }, { id: "class", text: "Class" }, ...meta];
}

/** The group of a node; empty where it has none. */
export function groupOf(by: string): (n: NodeListStub) => string {
  if (by.startsWith(META)) return (n) => n.Meta?.[by.slice(META.length)] ?? "";
  if (by === "pool") return (n) => n.NodePool;
  if (by === "class") return (n) => n.NodeClass;
  return (n) => n.Datacenter;
}

/** The cells of nodes, in their order. A search fades what it does not find, and lights up allocations of jobs that it does. */
export function cellsOf(nodes: NodeListStub[], use: Map<string, NodeUse>, by: Measure, search: string): Cell[] {
  const text = search.trim().toLowerCase();
  return nodes.map((n) => {
    const has = capacity(n)[by];
    const of = use.get(n.ID);
    const parts: Part[] = (of?.allocations ?? [])
      .map((a) => ({ id: a.ID, job: a.JobID, share: share(amounts(a)[by], has), lit: text !== "" && a.JobID.toLowerCase().includes(text) }))
      .sort((a, b) => b.share - a.share);
    const named = text === "" || n.Name.toLowerCase().includes(text) || n.ID.startsWith(text);
    return { name: n.Name, share: has > 0 ? share(of?.promised[by] ?? 0, has) : undefined, state: nodeState(n), faded: !named && !parts.some((p) => p.lit), parts };
  });
}
