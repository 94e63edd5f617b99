import { describe, expect, it } from "vitest";
import type { AllocationListStub } from "../api/types.gen";
import { shared } from "../api/sharing";
import type { LiveEvent } from "./event";
import { told, withRows } from "./told";

const row = (ID: string, change: Partial<AllocationListStub> = {}): AllocationListStub => ({ ID, JobVersion: 3, JobType: "service", ClientStatus: "pending", TaskStates: null, ModifyIndex: 10, ...change }) as AllocationListStub;
const event = (a: AllocationListStub, Type = "AllocationUpdated"): LiveEvent => ({ Topic: "Allocation", Type, Key: a.ID, FilterKeys: null, Index: a.ModifyIndex, Payload: { Allocation: { ...a, JobVersion: undefined, JobType: undefined } } });

describe("what events tell of lists", () => {
  const list = [row("a"), row("b"), row("c", { TaskStates: {} })];
  it("is put into the row, and what they do not know stays", () => {
    const t = told("Allocations.List", {}, list, [event(row("b", { ClientStatus: "running", ModifyIndex: 11, TaskStates: { t: {} as never } }))]);
    expect(t?.rest).toEqual([]);
    expect(t?.rows[1]).toMatchObject({ ClientStatus: "running", ModifyIndex: 11, JobVersion: 3, JobType: "service", TaskStates: null });
    expect(t?.rows[0]).toBe(list[0]);
    expect(list[1]?.ClientStatus).toBe("pending");
  });
  it("is not older than what is known", () => {
    expect(told("Job.Allocations", {}, list, [event(row("a", { ClientStatus: "failed", ModifyIndex: 9 }))])?.rows[0]?.ClientStatus).toBe("pending");
  });
  it("leaves to be read what is new, planned anew, or chosen by a filter", () => {
    const stopped = event(row("a", { DesiredStatus: "stop", ModifyIndex: 12 }), "PlanResult");
    const t = told("Allocations.List", {}, list, [stopped, event(row("new", { ModifyIndex: 12 }), "PlanResult")]);
    expect(t?.rest).toEqual(["a", "new"]);
    expect(t?.rows[0]?.DesiredStatus).toBe("stop");
    expect(told("Allocations.List", { filter: 'ClientStatus == "pending"' }, list, [stopped])?.rest).toBeUndefined();
    expect(told("Jobs.List", {}, list, [stopped])).toBeUndefined();
    const whole = withRows(t?.rows ?? [], [row("new", { ModifyIndex: 12 }), row("a", { JobVersion: 4, ModifyIndex: 12 })]);
    expect(whole.map((r) => r.ID)).toEqual(["a", "b", "c", "new"]);
    expect(whole[0]?.JobVersion).toBe(4);
    expect(told("Allocations.List", {}, whole, [event(row("new", { ClientStatus: "running", ModifyIndex: 13 }))])?.rows[3]?.ClientStatus).toBe("running");
  });
});

describe("long lists", () => {
  it("keep the rows that have not changed, and themselves where none has", () => {
    const then = Array.from({ length: 600 }, (_, i) => row(`${i}`));
    expect(shared(then, then.map((r) => ({ ...r })))).toBe(then);
    const now = shared(then, then.map((r) => ({ ...r, ModifyIndex: r.ID === "7" ? 11 : 10 }))) as AllocationListStub[];
    expect(now[6]).toBe(then[6]);
    expect(now[7]).not.toBe(then[7]);
    expect((shared(then, then.slice(1).map((r) => ({ ...r }))) as unknown[]).length).toBe(599);
  });
});
