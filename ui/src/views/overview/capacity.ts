import type { NodeListStub, NodeUsage } from "../../api/types.gen";

/** CPU in MHz, memory and disk in MiB. */
export interface Capacity {
  cpu: number;
  memory: number;
  disk: number;
}

/** What nodes that are ready have for allocations. */
export function promised(nodes: NodeListStub[]): Capacity {
  const c: Capacity = { cpu: 0, memory: 0, disk: 0 };
  for (const n of nodes) {
    if (n.Status !== "ready") continue;
    c.cpu += (n.NodeResources?.Cpu.CpuShares ?? 0) - (n.ReservedResources?.Cpu.CpuShares ?? 0);
    c.memory += (n.NodeResources?.Memory.MemoryMB ?? 0) - (n.ReservedResources?.Memory.MemoryMB ?? 0);
    c.disk += (n.NodeResources?.Disk.DiskMB ?? 0) - (n.ReservedResources?.Disk.DiskMB ?? 0);
  }
  return c;
}

/** What allocations have been given. */
promised.used = (nodes: NodeUsage[]): Capacity => {
  const c: Capacity = { cpu: 0, memory: 0, disk: 0 };
  for (const n of nodes) {
    c.cpu += n.CPU;
    c.memory += n.MemoryMB;
    c.disk += n.DiskMB;
  }
  return c;
};
