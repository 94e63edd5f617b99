// A simulated fleet: answers of the API for thousands of nodes, put in front of a real agent.

const hex = (n, length) => n.toString(16).padStart(length, "0");
const uuid = (kind, n) => `${hex(n, 8)}-${hex(kind, 4)}-4000-8000-000000000000`;

/** Nodes and allocations as lists give them; the same numbers give the same fleet. */
export function fleet(count, perNode) {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const nodes = [];
  const allocations = [];
  for (let i = 0; i < count; i++) {
    const cores = 8 << Math.floor(random() * 3);
    const odd = random();
    nodes.push({
      Address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, ID: uuid(1, i), Datacenter: `dc${1 + (i % 3)}`, Name: `node-${String(i).padStart(4, "0")}`, NodeClass: cores > 16 ? "large" : "small", NodePool: i % 7 === 0 ? "gpu" : "default",
      Version: "2.0.0", Meta: { rack: `rack-${1 + Math.floor(i / 40)}` }, Drain: odd > 0.99, SchedulingEligibility: odd > 0.98 ? "ineligible" : "eligible", Status: odd < 0.01 ? "down" : "ready", StatusDescription: "",
      Drivers: { exec: { Detected: true, Healthy: true, HealthDescription: "", Attributes: null, UpdateTime: "" } }, NodeResources: { Cpu: { CpuShares: cores * 2500, TotalCpuCores: cores, ReservableCpuCores: null }, Memory: { MemoryMB: cores * 4096 }, Disk: { DiskMB: 500_000 }, Networks: null, Devices: i % 7 === 0 ? [{ Vendor: "nvidia", Type: "gpu", Name: "H100", Attributes: null, Instances: [1, 2, 3, 4].map((d) => ({ ID: `${i}-${d}`, Healthy: true })) }] : null },
      ReservedResources: null, LastDrain: null, CreateIndex: i, ModifyIndex: i,
    });
    const full = random();
    for (let j = 0; j < perNode * 2 * full; j++) {
      const job = `service-${Math.floor(random() * 200)}`;
      const id = allocations.length;
      allocations.push({
        ID: uuid(2, id), EvalID: "", Name: `${job}.web[${j}]`, Namespace: "default", NodeID: uuid(1, i), NodeName: nodes[i].Name, JobID: job, JobType: "service", JobVersion: 0, TaskGroup: "web", DesiredStatus: "run", DesiredDescription: "", ClientStatus: "running", ClientDescription: "",
        AllocatedResources: { Tasks: { web: { Cpu: { CpuShares: Math.round((cores * 2500 * (0.4 + random())) / (perNode * 2)) }, Memory: { MemoryMB: Math.round((cores * 4096 * (0.3 + random())) / (perNode * 2)) }, Networks: null, Devices: i % 7 === 0 && j === 0 ? [{ Vendor: "nvidia", Type: "gpu", Name: "H100", DeviceIDs: [`${i}-1`] }] : null } }, TaskLifecycles: null, Shared: { DiskMB: 300, Networks: null, Ports: null } },
        TaskStates: null, DeploymentStatus: null, FollowupEvalID: "", NextAllocation: "", RescheduleTracker: null, PreemptedAllocations: null, PreemptedByAllocation: "", CreateIndex: id, ModifyIndex: id, CreateTime: 1.7e18, ModifyTime: 1.7e18,
      });
    }
  }
  return { nodes, allocations };
}

/** What the allocations of a fleet take of its nodes. */
function usage(nodes, allocations) {
  const of = new Map(nodes.map((n) => [n.ID, { NodeID: n.ID, Count: 0, CPU: 0, MemoryMB: 0, DiskMB: 0, Devices: 0, Allocations: [] }]));
  for (const a of allocations) {
    const { Cpu, Memory, Devices } = a.AllocatedResources.Tasks.web;
    const takes = { CPU: Cpu.CpuShares, MemoryMB: Memory.MemoryMB, DiskMB: 300, Devices: Devices === null ? 0 : 1 };
    const node = of.get(a.NodeID);
    node.Count++;
    for (const [k, v] of Object.entries(takes)) node[k] += v;
    node.Allocations.push({ ID: a.ID, Namespace: a.Namespace, JobID: a.JobID, TaskGroup: a.TaskGroup, ...takes });
  }
  return [...of.values()];
}

/** Answers the lists of a page from a fleet; everything else comes from the agent. */
export async function simulate(context, { nodes, allocations }) {
  const json = { contentType: "application/json", headers: { "X-Nomad-Index": "9", "X-Nomad-KnownLeader": "true" } };
  const [n, a, u] = [JSON.stringify(nodes), JSON.stringify(allocations), JSON.stringify(usage(nodes, allocations))];
  await context.route(/\/v1\/nodes\/usage/, (r) => r.fulfill({ ...json, body: u }));
  await context.route(/\/v1\/nodes(\?|$)/, (r) => r.fulfill({ ...json, body: n }));
  await context.route(/\/v1\/allocations(\?|$)/, (r) => r.fulfill({ ...json, body: new URL(r.request().url()).searchParams.has("per_page") ? "[]" : a }));
}
