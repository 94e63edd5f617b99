import { describe, expect, it } from "vitest";
import type { AllocationListStub, AllocationMetric, Evaluation, EvaluationStub } from "../../api/types.gen";
import { asFilter } from "./Evaluations";
import { funnelOf } from "./funnel";
import { BOX, drawing, graphOf, layered, step } from "./graph";

const evaluation = (ID: string, change: Partial<Evaluation> = {}): Evaluation =>
  ({ ID, Priority: 50, Type: "service", TriggeredBy: "job-register", Namespace: "default", JobID: "web", NodeID: "", DeploymentID: "", Status: "complete", StatusDescription: "", NextEval: "", PreviousEval: "", BlockedEval: "", FailedTGAllocs: null, QueuedAllocations: null, RelatedEvals: null, CreateIndex: 1, ...change }) as Evaluation;
const edges = (g: ReturnType<typeof graphOf>): string[] => g.edges.map((e) => `${e.from} → ${e.to}`);

describe("the graph", () => {
  const related = [evaluation("blocked", { TriggeredBy: "queued-allocs", Status: "blocked", PreviousEval: "first", CreateIndex: 2, NextEval: "again" }), evaluation("again", { PreviousEval: "blocked", CreateIndex: 3 })] as EvaluationStub[];
  it("goes from the job by its evaluations to what came of them", () => {
    const g = graphOf(evaluation("first", { BlockedEval: "blocked", RelatedEvals: related, QueuedAllocations: { g: 2 }, FailedTGAllocs: { g: {} as AllocationMetric } }), [{ ClientStatus: "running", DesiredStatus: "run" } as AllocationListStub, { ClientStatus: "failed", DesiredStatus: "run" } as AllocationListStub]);
    expect(edges(g)).toEqual([
      "evaluation first → evaluation blocked", "evaluation blocked → evaluation again", "cause default/web → evaluation first", "evaluation first → allocations running", "evaluation first → allocations failed", "evaluation first → unplaced",
    ]);
    expect(layered(g)).toEqual([["cause default/web"], ["evaluation first"], ["evaluation blocked", "allocations running", "allocations failed", "unplaced"], ["evaluation again"]]);
    expect(g.vertices.filter((v) => v.current).map((v) => v.id)).toEqual(["evaluation first"]);
  });
  it("begins at a node where one is the cause, and tells of evaluations that are not known any more only in what is", () => {
    const g = graphOf(evaluation("x", { NodeID: "node-1", PreviousEval: "gone", NextEval: "gone too" }), []);
    expect(edges(g)).toEqual(["cause node-1 → evaluation x"]);
  });
  it("draws boxes apart and lines to the right", () => {
    const d = drawing(graphOf(evaluation("first", { BlockedEval: "blocked", RelatedEvals: related }), []));
    for (const a of d.placed) {
      expect(a.y >= 0 && a.y + BOX.h <= d.height && a.x + BOX.w <= d.width).toBe(true);
      for (const b of d.placed) if (a !== b) expect(Math.abs(a.x - b.x) >= BOX.w || Math.abs(a.y - b.y) >= BOX.h).toBe(true);
    }
    expect(d.lines).toHaveLength(3);
  });
  it("is walked with arrow keys", () => {
    const g = graphOf(evaluation("first", { BlockedEval: "blocked", RelatedEvals: related, QueuedAllocations: { g: 2 }, FailedTGAllocs: { g: {} as AllocationMetric } }), []);
    expect(step(g, "cause default/web", "ArrowRight")).toBe("evaluation first");
    expect(step(g, "evaluation first", "ArrowLeft")).toBe("cause default/web");
    expect(step(g, "evaluation blocked", "ArrowDown")).toBe("unplaced");
    expect(step(g, "unplaced", "ArrowUp")).toBe("evaluation blocked");
    expect(step(g, "unplaced", "ArrowRight")).toBeUndefined();
    expect(step(g, "unplaced", "x")).toBeUndefined();
  });
  it("ends with circles, and with chains that are very long", () => {
    const circle = [evaluation("b", { NextEval: "a", CreateIndex: 2 })] as EvaluationStub[];
    expect(drawing(graphOf(evaluation("a", { NextEval: "b", RelatedEvals: circle }), [])).placed.length).toBeGreaterThanOrEqual(2);
    const chain = Array.from({ length: 5000 }, (_, i) => evaluation(`e${i}`, { NextEval: `e${i + 1}`, CreateIndex: i })) as EvaluationStub[];
    const g = graphOf(evaluation("e2500", { NextEval: "e2501", CreateIndex: 2500, RelatedEvals: chain }), []);
    expect(g.vertices.length).toBeLessThan(70);
    expect(layered(g).length).toBeGreaterThan(50);
  });
});

describe("the funnel", () => {
  const metric = (change: Partial<AllocationMetric>): AllocationMetric => ({ NodesEvaluated: 0, NodesFiltered: 0, NodesInPool: 0, NodesExhausted: 0, ConstraintFiltered: null, DimensionExhausted: null, ...change }) as AllocationMetric;
  it("removes nodes step by step, and none twice", () => {
    const f = funnelOf(metric({ NodesInPool: 12, NodesEvaluated: 10, NodesFiltered: 6, NodesExhausted: 4, ConstraintFiltered: { a: 1, b: 5 }, DimensionExhausted: { memory: 3, cpu: 1 } }));
    expect(f.Nodes).toBe(12);
    expect(f.Steps?.map((s) => [s.Reason, s.Removed, s.Left])).toEqual([["not ready, or in another datacenter", 2, 10], ["b", 5, 5], ["a", 1, 4], ["no room: memory, cpu", 4, 0]]);
    expect(f.Candidates).toBe(0);
  });
  it("says what was ruled out by class alone, and where there was no node at all", () => {
    expect(funnelOf(metric({ NodesEvaluated: 3, NodesFiltered: 3, ConstraintFiltered: { a: 1 } })).Steps?.map((s) => s.Removed)).toEqual([1, 2]);
    expect(funnelOf(metric({}))).toEqual({ Nodes: 0, Steps: [], Candidates: 0 });
  });
});

describe("the filter", () => {
  it("makes a word an expression that nobody can break out of", () => {
    expect(asFilter(" ")).toBeUndefined();
    expect(asFilter('Status == "blocked"')).toBe('Status == "blocked"');
    expect(asFilter('we"b\\')).toBe('JobID contains "web" or ID matches "^.eb" or TriggeredBy contains "web"');
  });
});
