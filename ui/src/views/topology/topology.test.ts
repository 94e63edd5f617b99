import { describe, expect, it } from "vitest";
import type { NodeListStub } from "../../api/types.gen";
import { byNode } from "../nodes/usage";
import { cellsOf, groupOf, groupings } from "./fleet";
import { SIZES, corner, fitting, grouped, hit, layout, neighbour, treemap, type Spot } from "./layout";

const node = (change: Partial<NodeListStub>): NodeListStub => ({ ID: "1", Name: "n", NodePool: "default", Datacenter: "dc1", NodeClass: "", Status: "ready", SchedulingEligibility: "eligible", Drain: false, ...change }) as NodeListStub;
const named = (names: string[]) => grouped(names, (n) => n);
const many = (sizes: number[]) => sizes.map((n, g) => ({ name: `g${g}`, members: Array.from({ length: n }, (_, i) => g * 1000 + i) }));

describe("groups", () => {
  it("are in natural order, those without a name last, and hold every node once", () => {
    const groups = named(["rack-10", "", "rack-2", "rack-2"]);
    expect(groups.map((g) => g.name)).toEqual(["rack-2", "rack-10", ""]);
    expect(groups.map((g) => g.members)).toEqual([[2, 3], [0], [1]]);
  });
  it("offer the meta that nodes have, the most common first", () => {
    const nodes = [node({ Meta: { rack: "1", owner: "x" } }), node({ Meta: { rack: "2" } }), node({})];
    expect(groupings(nodes).map((g) => g.id)).toEqual(["datacenter", "pool", "class", "meta.rack", "meta.owner"]);
    expect(nodes.map(groupOf("meta.rack"))).toEqual(["1", "2", ""]);
  });
});

describe("the layout", () => {
  const every = (sizes: number[], width: number, cell: number) => {
    const l = layout(many(sizes), width, cell);
    return { l, spots: l.blocks.flatMap((b, block) => b.group.members.map((_, at): Spot => ({ block, at }))) };
  };
  it("gives each node a place of its own, inside of the map, where it is found again", () => {
    for (const [sizes, width, cell] of [[[1, 2, 300, 7, 40], 800, 20], [[5000], 1200, 7], [[3], 160, 190], [Array.from({ length: 125 }, () => 40), 1100, 7]] as [number[], number, number][]) {
      const { l, spots } = every(sizes, width, cell);
      const seen = new Set<string>();
      for (const s of spots) {
        const [x, y] = corner(l, s);
        expect(x).toBeGreaterThanOrEqual(0);
        if (cell < 100) expect(x + cell).toBeLessThanOrEqual(width + 1);
        expect(y + cell).toBeLessThanOrEqual(l.height);
        expect(hit(l, x + cell / 2, y + cell / 2)).toEqual(s);
        seen.add(`${x} ${y}`);
      }
      expect(seen.size).toBe(spots.length);
    }
  });
  it("keeps blocks apart", () => {
    const { l } = every([30, 5, 90, 12, 61], 500, 14);
    for (const a of l.blocks) for (const b of l.blocks) if (a !== b) expect(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y).toBe(true);
  });
  it("fits everything into view where that is possible", () => {
    const groups = many([40, 40, 40]);
    const cell = fitting(groups, 1000, 600);
    expect(layout(groups, 1000, cell).height).toBeLessThanOrEqual(600);
    expect(fitting(many([100_000]), 300, 300)).toBe(SIZES[0]);
  });
  it("is nothing where there is no cell", () => {
    const { l } = every([3], 400, 20);
    expect(hit(l, 0, 0)).toBeUndefined();
    expect(hit(l, 399, 399)).toBeUndefined();
  });
  it("lets the keyboard reach every node, and go back", () => {
    const { l, spots } = every([7, 1, 12], 300, 28);
    const reached = new Set(["0 0"]);
    const queue: Spot[] = [{ block: 0, at: 0 }];
    for (let s = queue.pop(); s !== undefined; s = queue.pop()) {
      for (const d of ["left", "right", "up", "down"] as const) {
        const next = neighbour(l, s, d);
        const key = `${next.block} ${next.at}`;
        if (!reached.has(key)) {
          reached.add(key);
          queue.push(next);
        }
      }
    }
    expect(reached.size).toBe(spots.length);
    expect(neighbour(l, { block: 0, at: 0 }, "left")).toEqual({ block: 0, at: 0 });
    expect(neighbour(l, { block: 0, at: 0 }, "up")).toEqual({ block: 0, at: 0 });
    const below = neighbour(l, { block: 0, at: 0 }, "down");
    expect(neighbour(l, below, "up")).toEqual({ block: 0, at: 0 });
  });
});

describe("treemap", () => {
  it("gives parts the area of their share, inside, without overlap", () => {
    const values = [50, 30, 10, 5, 5];
    const rects = treemap(values, { x: 10, y: 20, w: 80, h: 50 });
    rects.forEach((r, i) => {
      expect(r.w * r.h).toBeCloseTo((80 * 50 * (values[i] as number)) / 100, 6);
      expect(r.x).toBeGreaterThanOrEqual(10 - 1e-9);
      expect(r.x + r.w).toBeLessThanOrEqual(90 + 1e-9);
      expect(r.y + r.h).toBeLessThanOrEqual(70 + 1e-9);
      for (const o of rects) if (o !== r) expect(r.x + r.w <= o.x + 1e-9 || o.x + o.w <= r.x + 1e-9 || r.y + r.h <= o.y + 1e-9 || o.y + o.h <= r.y + 1e-9).toBe(true);
    });
  });
  it("takes nothing for an answer", () => {
    expect(treemap([], { x: 0, y: 0, w: 9, h: 9 })).toEqual([]);
    expect(treemap([0, 0], { x: 0, y: 0, w: 9, h: 9 }).every((r) => r.w * r.h === 0)).toBe(true);
  });
});

describe("cells", () => {
  const nodes = [node({ ID: "1", Name: "a", NodeResources: { Cpu: { CpuShares: 1000 }, Memory: { MemoryMB: 100 }, Disk: { DiskMB: 0 }, Devices: null } as never }), node({ ID: "2", Name: "b", Status: "down" })];
  const use = byNode([{ NodeID: "1", Count: 1, CPU: 250, MemoryMB: 80, DiskMB: 0, Devices: 0, Allocations: [{ ID: "x", Namespace: "default", JobID: "web", TaskGroup: "g", CPU: 250, MemoryMB: 80, DiskMB: 0, Devices: 0 }] }]);
  it("show what is promised of what there is; a search lights up jobs and fades the rest", () => {
    expect(cellsOf(nodes, use, "cpu", "")[0]).toMatchObject({ share: 0.25, faded: false });
    expect(cellsOf(nodes, use, "memory", "")[0]?.share).toBe(0.8);
    expect(cellsOf(nodes, use, "devices", "").map((c) => c.share)).toEqual([undefined, undefined]);
    const found = cellsOf(nodes, use, "cpu", "WEB");
    expect(found.map((c) => c.faded)).toEqual([false, true]);
    expect(found[0]?.parts[0]?.lit).toBe(true);
  });
});
