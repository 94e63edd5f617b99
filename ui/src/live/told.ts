// What an event tells of an allocation is put into the lists that have it, so
// that a change is seen at once also where reading the list anew takes seconds.
import type { AllocationListStub } from "../api/types.gen";
import type { OperationName } from "../api/types.gen";
import type { LiveEvent } from "./event";

type Row = AllocationListStub;

const lists = new Set<string>(["Allocations.List", "Job.Allocations", "Evaluation.Allocations", "Deployment.Allocations"] satisfies OperationName[]);

/** What an event has of a row. The type and version of its job are not among it. */
const fields = [
  "DesiredStatus", "DesiredDescription", "ClientStatus", "ClientDescription", "TaskStates", "DeploymentStatus", "FollowupEvalID", "NextAllocation",
  "RescheduleTracker", "PreemptedAllocations", "PreemptedByAllocation", "NodeID", "NodeName", "ModifyIndex", "ModifyTime",
] as const satisfies readonly (keyof Row)[];

export interface Told {
  rows: Row[];
  /** Rows that have to be read: they are new, or may be of another version. Undefined: the whole list has to be. */
  rest: string[] | undefined;
}

/** Where rows are in a list. A list that changes in place keeps it. */
const places = new WeakMap<Row[], Map<string, number>>();

function placesOf(rows: Row[]): Map<string, number> {
  let of = places.get(rows);
  if (of === undefined) places.set(rows, (of = new Map(rows.map((r, i) => [r.ID, i]))));
  return of;
}

/** The list as events tell that it is now; undefined where they cannot tell it. */
export function told(op: OperationName, params: unknown, data: unknown, events: LiveEvent[]): Told | undefined {
  if (!lists.has(op) || !Array.isArray(data) || data.length === 0 || events.some((e) => e.Topic !== "Allocation")) return undefined;
  const rows = (data as Row[]).slice();
  const at = placesOf(data as Row[]);
  const rest = new Set<string>();
  for (const e of events) {
    const a = e.Payload.Allocation as Row;
    const i = at.get(e.Key);
    const row = i === undefined ? undefined : rows[i];
    if (row === undefined || i === undefined) rest.add(e.Key);
    else if (a.ModifyIndex > row.ModifyIndex) rows[i] = merged(row, a);
    if (e.Type === "PlanResult") rest.add(e.Key);
  }
  places.set(rows, at);
  const chosen = (params as { filter?: string }).filter;
  return { rows, rest: chosen === undefined || chosen === "" ? [...rest] : undefined };
}

function merged(row: Row, a: Row): Row {
  const now = { ...row } as Record<string, unknown>;
  for (const f of fields) if (a[f] !== undefined && (f !== "TaskStates" || row.TaskStates !== null)) now[f] = a[f];
  return now as unknown as Row;
}

/** A list with rows that were read put in their places, new ones at its end. */
export function withRows(data: Row[], read: Row[]): Row[] {
  const rows = data.slice();
  const at = new Map(placesOf(data));
  for (const r of read) {
    const i = at.get(r.ID);
    if (i === undefined) {
      at.set(r.ID, rows.length);
      rows.push(r);
    } else if (r.ModifyIndex >= (rows[i]?.ModifyIndex ?? 0)) rows[i] = r;
  }
  places.set(rows, at);
  return rows;
}
