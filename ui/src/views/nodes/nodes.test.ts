import { describe, expect, it } from "vitest";
import type { AllocationListStub, DrainStrategy, HostStats, NodeListStub } from "../../api/types.gen";
import { matching, pairs } from "./Attributes";
import { progress } from "./drain";
import { changes } from "./NodeMeta";
import { narrowed } from "./Nodes";
import { added, noSamples } from "./stats";
import { byNode, capacity, promise } from "./usage";

const allocation = (change: Partial<AllocationListStub>): AllocationListStub => ({ ID: "a", NodeID: "n", JobType: "service", ClientStatus: "running", DesiredStatus: "run", ModifyTime: 0, ...change }) as AllocationListStub;
const given = (cpu: number, memory: number, disk: number, share?: number): AllocationListStub["AllocatedResources"] =>
  ({ Tasks: { t: { Cpu: { CpuShares: cpu }, Memory: { MemoryMB: memory }, Networks: null, Devices: share === undefined ? null : [{ Vendor: "v", Type: "gpu", Name: "n", DeviceIDs: ["1"], Share: share }] } }, TaskLifecycles: null, Shared: { DiskMB: disk, Networks: null, Ports: null } }) as never;

describe("usage", () => {
  it("takes what is kept back from what a node has", () => {
    const node = { NodeResources: { Cpu: { CpuShares: 4000 }, Memory: { MemoryMB: 1000 }, Disk: { DiskMB: 500 }, Devices: [{ Instances: [{}, {}] }] }, ReservedResources: { Cpu: { CpuShares: 1000 }, Memory: { MemoryMB: 2000 }, Disk: { DiskMB: 0 } } };
    expect(capacity(node as never)).toEqual({ cpu: 3000, memory: 0, disk: 500, devices: 2 });
    expect(capacity({})).toEqual({ cpu: 0, memory: 0, disk: 0, devices: 0 });
  });
  it("takes what the API counts by node, and counts a part of a device as a part", () => {
    const use = byNode([{ NodeID: "n", Count: 2, CPU: 300, MemoryMB: 128, DiskMB: 20, Devices: 0.25 }]);
    expect(use.get("n")).toEqual({ promised: { cpu: 300, memory: 128, disk: 20, devices: 0.25 }, count: 2, allocations: [] });
    expect(promise(given(100, 64, 10, 0.25))).toEqual({ cpu: 100, memory: 64, disk: 10, devices: 0.25 });
    expect(promise(undefined)).toEqual({ cpu: 0, memory: 0, disk: 0, devices: 0 });
  });
});

describe("drain", () => {
  const began = Date.parse("2026-01-01T12:00:00Z");
  const strategy: DrainStrategy = { Deadline: 3600e9, IgnoreSystemJobs: true, StartedAt: "2026-01-01T12:00:00Z", ForceDeadline: "2026-01-01T13:00:00Z" };
  it("counts what is left and what has moved since it began, without system jobs", () => {
    const p = progress(strategy, [
      allocation({ ID: "left" }),
      allocation({ ID: "system", JobType: "system" }),
      allocation({ ID: "moved", ClientStatus: "complete", ModifyTime: (began + 5000) * 1e6 }),
      allocation({ ID: "long ago", ClientStatus: "complete", ModifyTime: (began - 60_000) * 1e6 }),
    ]);
    expect(p.left.map((a) => a.ID)).toEqual(["left"]);
    expect(p.moved.map((a) => a.ID)).toEqual(["moved"]);
    expect(p).toMatchObject({ total: 2, deadline: began + 3_600_000, forced: false });
  });
  it("knows a drain without a deadline, and one that is forced", () => {
    expect(progress({ ...strategy, ForceDeadline: "0001-01-01T00:00:00Z" }, []).deadline).toBeUndefined();
    expect(progress({ ...strategy, Deadline: -1 }, []).forced).toBe(true);
  });
});

describe("attributes", () => {
  const n = { ID: "1", Name: "n", Datacenter: "dc1", NodeClass: "", NodePool: "default", Links: null, Meta: { rack: "r1" }, Attributes: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key.${i}`, `value ${i}`])) };
  it("names them as constraints do, and finds all words in name and value", () => {
    const all = pairs(n);
    expect(all).toHaveLength(10_006);
    expect(all.slice(0, 6).map((p) => p.name)).toEqual(["node.id", "node.name", "node.datacenter", "node.class", "node.pool", "meta.rack"]);
    expect(matching(all, "KEY.77 value 777")).toEqual([{ name: "attr.key.777", value: "value 777" }, { name: "attr.key.7770", value: "value 7770" }, { name: "attr.key.7771", value: "value 7771" }, ...Array.from({ length: 8 }, (_, i) => ({ name: `attr.key.777${i + 2}`, value: `value 777${i + 2}` }))]);
    expect(matching(all, "  ")).toBe(all);
  });
});

describe("meta", () => {
  it("sends only what differs; a key that is gone is removed", () => {
    expect(changes({ a: "1", b: "2", c: "3" }, [{ key: "a", value: "1" }, { key: " b ", value: "x" }, { key: "d", value: "" }, { key: "", value: "lost" }])).toEqual({ b: "x", c: null, d: "" });
  });
});

describe("samples", () => {
  const at = (t: number, cpu: number[]): HostStats => ({ Timestamp: t * 1e9, CPU: cpu.map((TotalPercent) => ({ TotalPercent })), Memory: { Used: 5, Total: 10 }, AllocDirStats: { Used: 1, Size: 2 } }) as never;
  it("averages cores, forgets the oldest, and takes nothing twice", () => {
    let s = noSamples();
    for (let t = 1; t <= 5; t++) s = added(s, at(t, [100, 0]), 3);
    expect(s.times).toEqual([3, 4, 5]);
    expect(s.cpu).toEqual([50, 50, 50]);
    expect(s.totals).toEqual({ memory: 10, disk: 2 });
    expect(added(s, at(5, [1]), 3)).toBe(s);
  });
});

describe("the list", () => {
  const node = (change: Partial<NodeListStub>): NodeListStub => ({ ID: "1", Name: "n", Address: "10.0.0.1", NodePool: "default", Datacenter: "dc1", NodeClass: "", Status: "ready", SchedulingEligibility: "eligible", Drain: false, ...change }) as NodeListStub;
  it("narrows by word and facets together", () => {
    const nodes = [node({ Name: "web-1" }), node({ Name: "web-2", Drain: true }), node({ Name: "db", NodePool: "big" })];
    const none = { text: "", state: "", pool: "", dc: "", nodeClass: "" };
    expect(narrowed(nodes, { ...none, text: "WEB" }).map((n) => n.Name)).toEqual(["web-1", "web-2"]);
    expect(narrowed(nodes, { ...none, text: "web", state: "draining" }).map((n) => n.Name)).toEqual(["web-2"]);
    expect(narrowed(nodes, { ...none, pool: "big" }).map((n) => n.Name)).toEqual(["db"]);
  });
});
