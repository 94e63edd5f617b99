// How far a drain is.
import type { AllocationListStub, DrainStrategy } from "../../api/types.gen";
import { at } from "../../lib/time";

export const isSystem = (type: string): boolean => type === "system" || type === "sysbatch";

export interface Progress {
  left: AllocationListStub[]; // still hold resources of the node
  moved: AllocationListStub[]; // have ended since the drain began
  total: number;
  deadline: number | undefined; // Unix milliseconds
  forced: boolean;
}

type Like = Pick<AllocationListStub, "ClientStatus" | "DesiredStatus" | "JobType" | "ModifyTime">;

const ended = (a: Pick<AllocationListStub, "ClientStatus">): boolean => ["complete", "failed", "lost"].includes(a.ClientStatus);

/** What a drain has still to move, and what it has moved. Clocks of a node and of servers may differ a little. */
export function progress(strategy: DrainStrategy, allocations: AllocationListStub[]): Progress {
  const began = (at(strategy.StartedAt) ?? Infinity) - 2000;
  const meant = (a: Like): boolean => !(strategy.IgnoreSystemJobs && isSystem(a.JobType));
  const left = allocations.filter((a) => !ended(a) && meant(a));
  const moved = allocations.filter((a) => ended(a) && meant(a) && a.ModifyTime / 1e6 >= began);
  return { left, moved, total: left.length + moved.length, deadline: at(strategy.ForceDeadline), forced: strategy.Deadline < 0 };
}
