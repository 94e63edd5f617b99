import type { AllocationMetric, FunnelStep, PlacementFunnel } from "../../api/types.gen";

/** What an evaluation has recorded of the nodes that it looked at, as steps that each remove some. */
export function funnelOf(m: AllocationMetric): PlacementFunnel {
  let left = Math.max(m.NodesEvaluated, m.NodesFiltered + m.NodesExhausted);
  const nodes = Math.max(left, m.NodesInPool);
  const steps: FunnelStep[] = [];
  const remove = (Stage: string, Reason: string, n: number, Detail?: Record<string, number> | null): void => {
    if (n <= 0) return;
    left -= n;
    steps.push({ Stage, Reason, Removed: n, Left: Math.max(0, left), ...(Detail ? { Detail } : {}) });
  };
  if (nodes > left) {
    const before = left;
    left = nodes;
    remove("pool", "not ready, or in another datacenter", nodes - before);
  }
  const constraints = Object.entries(m.ConstraintFiltered ?? {}).sort((a, b) => b[1] - a[1]);
  let filtered = m.NodesFiltered;
  for (const [reason, n] of constraints) {
    const counted = Math.min(n, filtered);
    filtered -= counted;
    remove("constraint", reason, counted);
  }
  remove("constraint", "class already ruled out", filtered);
  const dimensions = Object.entries(m.DimensionExhausted ?? {}).sort((a, b) => b[1] - a[1]);
  remove("room", dimensions.length === 0 ? "no room" : `no room: ${dimensions.map(([d]) => d).join(", ")}`, m.NodesExhausted, dimensions.length > 1 ? Object.fromEntries(dimensions) : null);
  return { Nodes: nodes, Steps: steps, Candidates: Math.max(0, left) };
}
